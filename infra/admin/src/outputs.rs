//! The names of a stack's parts on AWS, from CloudFormation's outputs.

use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use consigne_aws::{AwsConfig, query};

use crate::operator::work_now;

/// The settings that commands need, each with the name of its output.
const SETTINGS: [(&str, &str); 15] = [
    ("BUCKET_NAME", "BucketName"),
    ("BUS_NAME", "BusName"),
    ("CDN_KEYS_ARN", "CdnKeysArn"),
    ("CLERK_SECRETS_ARN", "ClerkSecretsArn"),
    ("CONSIGNE_URL", "ApiUrl"),
    ("GENERATOR_SECRETS_ARN", "GeneratorSecretsArn"),
    ("INVITATION_SECRET_ARN", "InvitationSecretArn"),
    ("KEY_PREFIX", "KeyPrefix"),
    ("LEGACY_KEYS_UNTIL", "LegacyKeysUntil"),
    ("PEPPER_SECRET_ARN", "PeppersArn"),
    ("REPLICA_BUCKET", "ReplicaBucket"),
    ("REPLICA_REGION", "ReplicaRegion"),
    ("SERVICE_TOKENS_ARN", "ServiceTokensArn"),
    ("STRIPE_SECRETS_ARN", "StripeSecretsArn"),
    ("TABLE_NAME", "TableName"),
];

/// Asks CloudFormation for a stack's outputs. Returns the settings they contain.
///
/// # Errors
/// If the stack does not exist, is not one of Consigne's, or cannot be read.
pub(crate) fn of_stack(config: &AwsConfig, stack: &str) -> Result<Vec<(String, String)>, String> {
    if stack.is_empty() || !stack.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(format!("{stack} is not a stack's name: letters, digits and hyphens."));
    }
    let form = format!("Action=DescribeStacks&Version=2010-05-15&StackName={stack}");
    let (status, answer) = work_now(query(config, "cloudformation", form))?
        .map_err(|error| format!("CloudFormation in {} does not answer: {error}", config.region))?;
    if status != 200 {
        let message = answer.split("<Message>").nth(1).and_then(|rest| rest.split("</Message>").next());
        let message = message.unwrap_or("no reason was given");
        return Err(format!("CloudFormation in {} answered {status}: {message}.", config.region));
    }
    let outputs = read(&answer).map_err(|error| format!("CloudFormation's answer cannot be read: {error}"))?;
    let held = |output: &str| outputs.iter().find(|(key, _)| key == output).map(|(_, value)| value.clone());
    let settings: Vec<_> =
        SETTINGS.iter().filter_map(|(name, output)| Some(((*name).to_owned(), held(output)?))).collect();
    if settings.iter().any(|(name, _)| name == "TABLE_NAME") {
        Ok(settings)
    } else {
        Err(format!("{stack} is a stack, but not one of Consigne's: it has no output TableName."))
    }
}

/// Parses keys and values of all outputs.
fn read(answer: &str) -> Result<Vec<(String, String)>, XmlDecodeError> {
    let mut document = Document::new(answer);
    let mut root = document.root_element()?;
    let mut outputs = Vec::new();
    descend(&mut root, &mut outputs)?;
    Ok(outputs)
}

/// Collects the outputs in an element and all elements below it.
fn descend(element: &mut ScopedDecoder<'_, '_>, outputs: &mut Vec<(String, String)>) -> Result<(), XmlDecodeError> {
    while let Some(mut child) = element.next_tag() {
        if child.start_el().matches("OutputKey") {
            outputs.push((try_data(&mut child)?.into_owned(), String::new()));
        } else if child.start_el().matches("OutputValue") {
            let value = try_data(&mut child)?.into_owned();
            // CloudFormation writes the key before the value.
            if let Some(last) = outputs.last_mut() {
                last.1 = value;
            }
        } else {
            descend(&mut child, outputs)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read_out_of_an_answer_with_all_its_escapes() {
        let answer = r#"<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult>
            <Stacks><member><StackName>consigne</StackName><Parameters><member><ParameterKey>TableName</ParameterKey>
            <ParameterValue>not this</ParameterValue></member></Parameters><Outputs>
            <member><OutputKey>TableName</OutputKey><OutputValue>consigne-Table-1</OutputValue></member>
            <member><OutputKey>ApiUrl</OutputKey><OutputValue>https://a?b&amp;c</OutputValue><Description>x</Description></member>
            </Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"#;
        let want = [("TableName", "consigne-Table-1"), ("ApiUrl", "https://a?b&c")];
        assert_eq!(read(answer).unwrap(), want.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert!(read("no XML").is_err());
    }
}
