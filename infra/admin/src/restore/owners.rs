//! The first step: nothing is done for a table or a bucket that another stack has, because CloudFormation would refuse
//! to import it at the end.
//!
//! Source: AWS CloudFormation user guide, "Import AWS resources into a CloudFormation stack with a resource import".

use super::{Restore, Standing};
use crate::aws::Refusal;
use crate::aws::xml::{rows, value};
use crate::doctor::facts::VERSION;

/// Whose a resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// This stack's.
    Stack(String),
    /// No stack's.
    Nobody,
    /// CloudFormation does not say.
    Unknown,
}

/// Looks whether another stack has the table or the bucket.
pub(crate) async fn look(restore: &Restore) -> Result<Standing, String> {
    let (table, bucket) = tokio::join!(owner(restore, &restore.table), owner(restore, &restore.bucket));
    Ok(judge(&restore.stack, &[("table", &restore.table, table), ("bucket", &restore.bucket, bucket)]))
}

async fn owner(restore: &Restore, physical: &str) -> Owner {
    let ask = [("Action", "DescribeStackResources"), VERSION, ("PhysicalResourceId", physical)];
    let answer = restore.aws.query("cloudformation", "cloudformation:DescribeStackResources", &ask).await;
    read(physical, answer.map(|answer| answer.body))
}

/// Reads an answer of `DescribeStackResources`: the first hundred resources of the stack that has this one.
fn read(physical: &str, answer: Result<String, Refusal>) -> Owner {
    let text = match answer {
        Ok(text) => text,
        Err(Refusal::Failed(why)) if why.contains("does not exist") => return Owner::Nobody,
        Err(_) => return Owner::Unknown,
    };
    let found = rows(&text, "member", &["StackName", "PhysicalResourceId", "ResourceStatus"]);
    // A deleted stack has no longer what it left behind.
    let left = |status: &str| status == "DELETE_SKIPPED" || status == "DELETE_COMPLETE";
    if found.iter().any(|row| value(row, "PhysicalResourceId") == physical && left(value(row, "ResourceStatus"))) {
        return Owner::Nobody;
    }
    let stack = found.iter().map(|row| value(row, "StackName")).find(|name| !name.is_empty());
    stack.map_or(Owner::Unknown, |name| Owner::Stack(name.to_owned()))
}

fn judge(stack: &str, found: &[(&str, &String, Owner)]) -> Standing {
    let other = found.iter().find_map(|(kind, name, owner)| match owner {
        Owner::Stack(owner) if owner != stack => Some((kind, name, owner)),
        _ => None,
    });
    if let Some((kind, name, owner)) = other {
        return Standing::Blocked(format!(
            "the {kind} {name} belongs to the stack {owner}, and CloudFormation lets no other stack import it. Name another {kind}; or, \
             if {owner} is the lost stack, delete that stack first, as docs/operate/restore.md says: its table and bucket stay."
        ));
    }
    Standing::Done(if found.iter().any(|(_, _, owner)| *owner == Owner::Unknown) {
        "CloudFormation does not say whether another stack has the table or the bucket; if one has, the import will fail".to_owned()
    } else {
        "no other stack has the table or the bucket".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: &str) -> String {
        format!(
            "<DescribeStackResourcesResponse><DescribeStackResourcesResult><StackResources><member><StackName>lost</StackName>\
             <PhysicalResourceId>b1</PhysicalResourceId><ResourceStatus>{status}</ResourceStatus></member></StackResources>\
             </DescribeStackResourcesResult></DescribeStackResourcesResponse>"
        )
    }

    #[test]
    fn the_owner_is_read_from_recorded_answers() {
        let lost = Owner::Stack("lost".to_owned());
        assert_eq!(read("b1", Ok(answer("CREATE_COMPLETE"))), lost);
        assert_eq!(read("b2", Ok(answer("CREATE_COMPLETE"))), lost, "the resource is not among the first hundred");
        assert_eq!(read("b1", Ok(answer("DELETE_SKIPPED"))), Owner::Nobody, "a deleted stack left it behind");
        let failed = |why: &str| read("b1", Err(Refusal::Failed(why.to_owned())));
        assert_eq!(failed("ValidationError: Stack for b1 does not exist"), Owner::Nobody);
        assert_eq!(failed("Throttling"), Owner::Unknown);
        assert_eq!(read("b1", Err(Refusal::Denied("x:Y"))), Owner::Unknown);
    }

    #[test]
    fn what_another_stack_has_blocks_and_what_is_unknown_does_not() {
        let (table, bucket) = ("t1".to_owned(), "b1".to_owned());
        let of = |owner: Owner| judge("found", &[("table", &table, Owner::Nobody), ("bucket", &bucket, owner)]);
        let Standing::Blocked(why) = of(Owner::Stack("lost".to_owned())) else {
            panic!("another stack has the bucket")
        };
        assert!(why.contains("the bucket b1 belongs to the stack lost"), "{why}");
        for owner in [Owner::Stack("found".to_owned()), Owner::Nobody, Owner::Unknown] {
            assert!(matches!(of(owner.clone()), Standing::Done(_)), "{owner:?}");
        }
    }
}
