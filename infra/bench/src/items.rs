//! The items in the stub's table, in DynamoDB's JSON: the stub's records as storage writes them.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use consigne_core::files::File;
use consigne_core::keys::Pointer;
use consigne_storage::items::{self, Item};
use serde_json::{Map, Value, json};

use crate::Problem;
use crate::records::Records;

/// The items that the stub answers with.
#[derive(Debug)]
pub(crate) struct Items {
    /// The file. It is also returned to readers of a ledger, who accept it.
    pub(crate) file: Value,
    /// A film that is uploaded in parts, and a published file.
    film: Value,
    public: Value,
    /// Items by the first word of their sort key.
    by_kind: BTreeMap<&'static str, Value>,
    /// A picture's job, a book's and a video's.
    jobs: [Value; 3],
    /// The pointers of the API key's text.
    pointers: Vec<Value>,
}

impl Items {
    /// Writes the records as items. These are the pointers to the API key.
    pub(crate) fn of(records: &Records, pointers: &[Pointer]) -> Result<Self, Problem> {
        let delivery = items::delivery(&records.delivery).map_err(|fault| fault.chain())?;
        let wallet = to_json(&items::wallet(&records.wallet))?;
        let [picture, book, video] = &records.jobs;
        let facts = records.key.facts();
        Ok(Self {
            file: to_json(&items::file(&records.file))?,
            film: to_json(&items::file(&records.film))?,
            public: to_json(&items::file(&records.public))?,
            by_kind: BTreeMap::from([
                ("ORDER", to_json(&items::order(&records.order))?),
                ("ADDRESS", address(&records.public)),
                ("ORG", to_json(&items::org(&records.org))?),
                ("INVITATION", to_json(&items::invitation(&records.invitation))?),
                ("MEMBER", to_json(&items::member(&records.member))?),
                ("KEY", to_json(&items::key(&records.key))?),
                ("WALLET", wallet.clone()),
                ("TESTWALLET", wallet),
                ("HOLD", to_json(&items::hold(&records.hold))?),
                ("CHECKOUT", to_json(&items::checkout(&records.checkout))?),
                ("ENDPOINT", to_json(&items::endpoint(&records.endpoint))?),
                ("DELIVERY", to_json(&delivery)?),
            ]),
            jobs: [to_json(&items::job(picture))?, to_json(&items::job(book))?, to_json(&items::job(video))?],
            pointers: pointers
                .iter()
                .map(|pointer| to_json(&items::pointer(pointer, &facts)))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Returns the item whose kind matches the key, or else the file. The item gets the requested key, so that it is found
    /// under every id.
    pub(crate) fn get(&self, key: &Value) -> Value {
        let sk = key["sk"]["S"].as_str().unwrap_or_default();
        let kind = sk.split('#').next().unwrap_or_default();
        let item = match kind {
            // The stub has no payments, drafts, idempotency records and earlier reconciliations.
            "PAYMENT" | "TEXT" | "IDEM" | "RECONCILE" => return Value::Null,
            "JOB" => self.job(sk),
            // The last character of an id tells which file it is.
            "FILE" if sk.ends_with('M') => &self.film,
            "FILE" if sk.ends_with('P') => &self.public,
            _ => self.by_kind.get(kind).unwrap_or(&self.file),
        };
        let mut item = item.clone();
        item["pk"] = key["pk"].clone();
        item["sk"] = key["sk"].clone();
        item
    }

    /// Returns a job. The last character of the id decides its kind: T for a book, V for a video, otherwise a picture.
    fn job(&self, sk: &str) -> &Value {
        let [picture, book, video] = &self.jobs;
        match sk.chars().last() {
            Some('T') => book,
            Some('V') => video,
            _ => picture,
        }
    }

    /// Returns the pointers with these keys.
    pub(crate) fn pointers(&self, keys: &Value) -> Vec<Value> {
        let keys = keys.as_array().map(Vec::as_slice).unwrap_or_default();
        let asked = |item: &&Value| keys.iter().any(|key| key["pk"] == item["pk"] && key["sk"] == item["sk"]);
        self.pointers.iter().filter(asked).cloned().collect()
    }
}

/// Builds the pointer from a public address to its file.
fn address(file: &File) -> Value {
    json!({ "owner": { "S": file.owner().to_string() }, "file_id": { "S": file.id().to_string() } })
}

/// Converts an item to DynamoDB's JSON, with the attributes in the order of their names.
///
/// # Errors
/// If an attribute has a type that no item of the stub has.
pub(crate) fn to_json(item: &Item) -> Result<Value, Problem> {
    let mut attributes: Vec<_> = item.iter().collect();
    // A map of the SDK has another order in every run, but every run must be answered the same bytes.
    attributes.sort_unstable_by_key(|(name, _)| *name);
    let mut object = Map::new();
    for (name, value) in attributes {
        let value = match value {
            AttributeValue::S(text) => json!({ "S": text }),
            AttributeValue::N(number) => json!({ "N": number }),
            AttributeValue::Bool(yes) => json!({ "BOOL": yes }),
            AttributeValue::Ss(texts) => json!({ "SS": texts }),
            _ => return Err(format!("attribute {name} has a type that the stub does not know")),
        };
        object.insert(name.clone(), value);
    }
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use consigne_auth::Peppers;
    use consigne_core::credits::{TEST_CREDITS, WalletId};
    use consigne_core::files::{Status, Usage};
    use consigne_core::ports::{
        Filter, FindKey, GetCheckout, GetDelivery, GetEndpoint, GetFile, GetHold, GetInvitation, GetJob, GetKey,
        GetMember, GetOrg, GetUsage, GetWallet, ListFiles,
    };
    use consigne_runtime::aws::Aws;
    use consigne_storage::Table;

    use super::*;
    use crate::shelf::Shelf;
    use crate::{scene, stub};

    /// Starts the stub and returns storage's own table on it.
    async fn table(files: usize) -> Table {
        let stub = stub::start(Shelf::of(files).unwrap()).await.unwrap();
        let credentials = Credentials::new(scene::ACCESS_KEY, scene::SECRET_KEY, None, None, "bench");
        let aws = Aws::new("us-east-1".to_owned(), credentials, Some(format!("http://{}", stub.address)));
        Table::new(&aws.config, "table")
    }

    #[tokio::test]
    async fn storage_reads_every_record_of_the_stub_as_it_was_made() {
        let (table, made) = (table(0).await, Records::new().unwrap());
        let (org, ann, now) = (made.org.id, made.member.user.clone(), made.org.created_at);
        assert_eq!(table.get_file(&ann, made.file.id()).await.unwrap().as_ref(), Some(&made.file));
        assert_eq!(table.get_usage(&ann).await.unwrap(), Usage::default());
        assert_eq!(table.get_org(org).await.unwrap().as_ref(), Some(&made.org));
        assert_eq!(table.get_member(org, &ann).await.unwrap().as_ref(), Some(&made.member));
        let invitation = table.get_invitation(org, made.invitation.id).await.unwrap();
        assert_eq!(invitation.as_ref(), Some(&made.invitation));
        assert_eq!(table.get_key(org, made.key.id).await.unwrap().as_ref(), Some(&made.key));
        let wallet = table.get_wallet(&WalletId::Organisation(org), now).await.unwrap();
        assert_eq!(wallet.as_ref(), Some(&made.wallet));
        // A test wallet without a lot gets its monthly credits when it is read.
        let id = WalletId::Test(ann);
        let wallet = table.get_wallet(&id, now).await.unwrap().unwrap();
        assert_eq!((&wallet.id, wallet.open, wallet.granted), (&id, true, TEST_CREDITS));
        assert_eq!(table.get_hold(made.hold.id).await.unwrap().as_ref(), Some(&made.hold));
        let checkout = table.get_checkout(org, &made.checkout.session).await.unwrap();
        assert_eq!(checkout.as_ref(), Some(&made.checkout));
        assert_eq!(table.get_endpoint(org, made.endpoint.id).await.unwrap().as_ref(), Some(&made.endpoint));
        assert_eq!(table.get_delivery(org, made.delivery.id).await.unwrap().as_ref(), Some(&made.delivery));
        for job in &made.jobs {
            assert_eq!(table.get_job(&job.id).await.unwrap().as_ref(), Some(job));
        }
    }

    #[tokio::test]
    async fn only_the_api_key_s_own_pointers_are_found() {
        let (table, made) = (table(0).await, Records::new().unwrap());
        let peppers = Peppers::parse(stub::PEPPERS).unwrap();
        let pointers = peppers.pointers(&scene::a_key());
        let found = table.find_key(&pointers).await.unwrap();
        assert_eq!(found, Some((pointers[0].clone(), made.key.facts())));
        let other = [Pointer { mac: "another".to_owned(), ..pointers[0].clone() }];
        assert_eq!(table.find_key(&other).await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_files_of_a_list_come_newest_first_and_by_pages() {
        let (table, made) = (table(3).await, Records::new().unwrap());
        let filter = Filter { status: Status::Ready, kind: None };
        let keys = |files: &[consigne_core::files::File]| -> Vec<String> {
            files.iter().map(|file| file.key.to_string()).collect()
        };
        let first = table.list_files(&made.member.user, filter, 2, None).await.unwrap();
        assert_eq!(keys(&first.files), [Shelf::key_of(2).unwrap(), Shelf::key_of(1).unwrap()]);
        let last = table.list_files(&made.member.user, filter, 2, first.next.as_ref()).await.unwrap();
        assert_eq!(keys(&last.files), ["user_ann1/images/01M7YREWKH7VM7Z3Z2KWS00000-photo-ete.png"]);
        assert_eq!(table.count_deleting(&made.member.user, None).await.unwrap(), 0, "they are another partition");
    }

    #[test]
    fn an_item_is_written_in_the_order_of_its_names() {
        let texts = AttributeValue::Ss(vec!["x".to_owned()]);
        let (n, s) = (AttributeValue::N("1".to_owned()), AttributeValue::S("été".to_owned()));
        let item = Item::from([("c".to_owned(), texts), ("a".to_owned(), n), ("b".to_owned(), s)]);
        assert_eq!(to_json(&item).unwrap().to_string(), r#"{"a":{"N":"1"},"b":{"S":"été"},"c":{"SS":["x"]}}"#);
        let odd = Item::from([("none".to_owned(), AttributeValue::Null(true))]);
        assert!(to_json(&odd).unwrap_err().contains("none"));
    }
}
