//! The step about the secrets' values: the new stack's secrets get those of the lost one. They are never printed.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::adopt;
use super::slice::{of_kind, outlives};
use super::{Restore, Standing};
use crate::aws::{Aws, Refusal, SECRETS};
use crate::complain;
use crate::doctor::facts::{SECRET, StackFacts};

/// Finds the secrets of the lost stack by their names in the template, except those that can no longer be read.
///
/// # Errors
/// If an argument has another shape, or if a secret is scheduled for deletion whose value matters.
pub(crate) async fn sources(
    aws: &Aws,
    lost: Option<&StackFacts>,
    given: &[String],
    template: &str,
) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for one in given {
        let pair = one.split_once('=').filter(|(name, arn)| !name.is_empty() && !arn.is_empty());
        let (name, arn) = pair.ok_or_else(|| format!("--secret {one} must be NAME=ARN, such as Peppers=arn:..."))?;
        found.push((name.to_owned(), arn.to_owned()));
    }
    if let Some(facts) = lost {
        for one in facts.of_kind(SECRET) {
            if found.iter().all(|(name, _)| *name != one.logical) {
                found.push((one.logical.clone(), one.physical.clone()));
            }
        }
    }
    let mut usable = Vec::new();
    for (name, arn) in found {
        match read(aws, &arn).await {
            Ok(_) => usable.push((name, arn)),
            Err(Refusal::Missing(_)) => {
                complain(&format!("The secret {name} is gone; the new stack gets a new value."));
            }
            Err(Refusal::Failed(why)) if is_scheduled(&why) => {
                let back = format!("aws secretsmanager restore-secret --secret-id {arn}");
                if outlives(template, &name) {
                    return Err(format!(
                        "The secret {name} is scheduled for deletion. Bring it back: `{back}`. Then run this again."
                    ));
                }
                complain(&format!(
                    "The secret {name} is scheduled for deletion; the new stack gets a new value. To keep the old one, run `{back}` first."
                ));
            }
            Err(refusal) => return Err(format!("{name}: {}", String::from(refusal))),
        }
    }
    usable.sort();
    Ok(usable)
}

/// Returns whether a secret cannot be read because it will be deleted in some days.
///
/// Source: AWS Secrets Manager API reference, `GetSecretValue`, `InvalidRequestException`.
fn is_scheduled(why: &str) -> bool {
    why.starts_with("InvalidRequestException") && ["deletion", "deleted"].iter().any(|word| why.contains(word))
}

async fn read(aws: &Aws, id: &str) -> Result<Zeroizing<String>, Refusal> {
    let ask = json!({ "SecretId": id });
    let answer = aws.json(SECRETS, "secretsmanager:GetSecretValue", "GetSecretValue", ask).await?;
    let text = answer["SecretString"].as_str().ok_or_else(|| Refusal::Failed("the secret has no text".to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Looks which secrets of the new stack have another value than those of the lost one.
pub(crate) async fn look(restore: &Restore) -> Result<Standing, String> {
    let Some(stack) = adopt::read(restore).await? else { return Ok(Standing::Waits("secrets")) };
    let names = of_kind(&restore.template, SECRET);
    let without: Vec<&str> = names
        .iter()
        .filter(|name| *name != "TextModelKey" && restore.secrets.iter().all(|(known, _)| known != *name))
        .map(String::as_str)
        .collect();
    let new = if without.is_empty() { String::new() } else { format!("; new values for {}", without.join(", ")) };
    let (mut compared, mut differ) = (0, Vec::new());
    for (name, old) in &restore.secrets {
        let own = stack.physical(name);
        if own.is_empty() && adopt::is_deployed(&stack) {
            continue;
        }
        if own.is_empty() {
            return Ok(Standing::Waits("secrets"));
        }
        let (old, own) = tokio::join!(read(&restore.aws, old), read(&restore.aws, own));
        compared += 1;
        if *old? != *own? {
            differ.push(name.as_str());
        }
    }
    // A second copy would take back what was changed since, such as a new pepper.
    if !differ.is_empty() && adopt::is_deployed(&stack) && !restore.overwrites {
        return Ok(Standing::Blocked(format!(
            "{} was deployed already, and {} differ from those of the lost stack. If they were changed on purpose since, nothing \
             is wrong; else --overwrite-secrets copies them. docs/operate/secrets.md says when functions read them again.",
            restore.stack,
            differ.join(", ")
        )));
    }
    Ok(if differ.is_empty() {
        Standing::Done(format!("{compared} secrets have the values of the lost stack{new}"))
    } else {
        Standing::ToDo(format!("copy the values of {}{new}", differ.join(", ")))
    })
}

/// Copies the values that differ. The random ones that they replace stay under `AWSPREVIOUS`.
pub(crate) async fn copy(restore: &Restore) -> Result<(), String> {
    let Some(stack) = adopt::read(restore).await? else { return Err("the stack is gone".to_owned()) };
    for (name, old) in &restore.secrets {
        let own = stack.physical(name);
        if own.is_empty() {
            continue;
        }
        let (old, current) = tokio::join!(read(&restore.aws, old), read(&restore.aws, own));
        let old = old?;
        if *old != *current? {
            let ask: Value = json!({ "SecretId": own, "SecretString": old.as_str() });
            restore.aws.json(SECRETS, "secretsmanager:PutSecretValue", "PutSecretValue", ask).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_will_be_deleted_is_told_from_one_that_cannot_be_read() {
        let says = "You can't perform this operation on the secret because it was marked for deletion.";
        assert!(is_scheduled(&format!("InvalidRequestException: {says}")));
        assert!(!is_scheduled("InvalidRequestException: the parameters conflict"));
        assert!(!is_scheduled("InternalServiceError: deletion"));
    }
}
