//! A secret of the stack, which is read and replaced without losing changes that somebody else makes meanwhile.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::update_secret_version_stage::UpdateSecretVersionStageError as Refused;
use base64::Engine as _;

use crate::operator::causes;

/// Label of a version that was written and is not current yet.
const NEXT: &str = "CONSIGNE_NEXT";
/// Secrets Manager's label of the current version.
const CURRENT: &str = "AWSCURRENT";

/// A secret in Secrets Manager.
#[derive(Debug)]
pub(crate) struct StoredSecret {
    client: Client,
    id: String,
}

/// A secret's value as it was read. It has no `Debug` and no `Display`, so that no message can contain it.
pub(crate) struct Held {
    version: String,
    /// The value, usually JSON.
    pub(crate) text: String,
}

/// Why a secret was not replaced.
#[derive(Debug)]
pub(crate) enum Unreplaced {
    /// Somebody else has replaced it since it was read. Nothing was changed.
    Conflict,
    /// The call failed. The secret may have been replaced all the same.
    Failed(String),
}

impl StoredSecret {
    /// Creates it from its ARN.
    pub(crate) fn new(client: Client, id: String) -> Self {
        Self { client, id }
    }

    /// Reads its current value.
    ///
    /// # Errors
    /// If it cannot be read, with the permission that is needed.
    pub(crate) async fn read(&self) -> Result<Held, String> {
        let read = self.client.get_secret_value().secret_id(&self.id).send().await;
        let read = read.map_err(|error| {
            let why = causes(&error);
            format!("The secret {} cannot be read: {why}\nMay you call secretsmanager:GetSecretValue on it?", self.id)
        })?;
        match (read.version_id, read.secret_string) {
            (Some(version), Some(text)) => Ok(Held { version, text }),
            _ => Err(format!("The secret {} contains no text; its previous value is under AWSPREVIOUS.", self.id)),
        }
    }

    /// Replaces the value `held`, if it is still the current one. The previous value stays under `AWSPREVIOUS`.
    ///
    /// Secrets Manager has no conditional writes, but it moves a label only away from the version that the request
    /// names. So the new value is written with another label first, and becomes current when the label moves. If the
    /// command is killed in between, nothing has changed.
    pub(crate) async fn replace(&self, held: &Held, text: String) -> Result<(), Unreplaced> {
        let put = self.client.put_secret_value().secret_id(&self.id).secret_string(text).version_stages(NEXT);
        let put = put.send().await.map_err(|error| self.failed(&error))?;
        let next = put.version_id.unwrap_or_default();
        let turn = self.client.update_secret_version_stage().secret_id(&self.id).version_stage(CURRENT);
        let turn = turn.move_to_version_id(next).remove_from_version_id(&held.version).send().await;
        match turn {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(Refused::is_invalid_parameter_exception) => {
                Err(Unreplaced::Conflict)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &dyn std::error::Error) -> Unreplaced {
        let rights = "secretsmanager:PutSecretValue and secretsmanager:UpdateSecretVersionStage";
        Unreplaced::Failed(format!(
            "The secret {} was not replaced: {}\nMay you call {rights} on it?",
            self.id,
            causes(error)
        ))
    }
}

impl From<Unreplaced> for String {
    fn from(why: Unreplaced) -> Self {
        match why {
            Unreplaced::Conflict => {
                "Somebody else changed the secret at the same moment, and their change stays. Run the command again."
                    .to_owned()
            }
            Unreplaced::Failed(problem) => problem,
        }
    }
}

/// Draws 256 random bits and encodes them in an alphabet.
pub(crate) fn random(alphabet: &base64::engine::GeneralPurpose) -> Result<String, String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("This machine has no random bytes: {error}"))?;
    Ok(alphabet.encode(bytes))
}
