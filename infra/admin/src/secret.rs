//! A secret of the stack, read and replaced without losing what somebody else writes to it meanwhile.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::update_secret_version_stage::UpdateSecretVersionStageError as Refused;
use base64::Engine as _;

use crate::operator::causes;

/// Label of a version that is written and not yet in force.
const NEXT: &str = "CONSIGNE_NEXT";
/// Label of the version in force, by Secrets Manager's own rules.
const CURRENT: &str = "AWSCURRENT";

/// Where a secret is kept.
#[derive(Debug)]
pub(crate) struct StoredSecret {
    client: Client,
    id: String,
}

/// A secret as it was read. It has no `Debug` and no `Display`, so that no message can show it.
pub(crate) struct Held {
    version: String,
    /// The secret itself.
    pub(crate) text: String,
}

/// Why a secret was not replaced.
#[derive(Debug)]
pub(crate) enum Unreplaced {
    /// Somebody else replaced it since it was read; nothing was changed.
    Conflict,
    /// It failed, and perhaps was replaced all the same.
    Failed(String),
}

impl StoredSecret {
    /// Names a secret by its ARN.
    pub(crate) fn new(client: Client, id: String) -> Self {
        Self { client, id }
    }

    /// Reads it.
    pub(crate) async fn read(&self) -> Result<Held, String> {
        let read = self.client.get_secret_value().secret_id(&self.id).send().await;
        let read = read.map_err(|error| {
            let why = causes(&error);
            format!("The secret {} cannot be read: {why}\nMay you call secretsmanager:GetSecretValue on it?", self.id)
        })?;
        match (read.version_id, read.secret_string) {
            (Some(version), Some(text)) => Ok(Held { version, text }),
            _ => Err(format!("The secret {} holds no text; its value before stands under AWSPREVIOUS.", self.id)),
        }
    }

    /// Replaces what was read, if it is still what is in force. The value before stays under `AWSPREVIOUS`.
    ///
    /// Secrets Manager knows no condition on a write, but it moves a label only away from the version that is said to have
    /// it. So the new value is written aside first and put in force by the move; killed in between, nothing has changed.
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
                "Somebody else changed the secret in the same moment; it stayed as they left it. Run the command again."
                    .to_owned()
            }
            Unreplaced::Failed(problem) => problem,
        }
    }
}

/// Draws 256 random bits, written in an alphabet.
pub(crate) fn random(alphabet: &base64::engine::GeneralPurpose) -> Result<String, String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("This machine has no random bytes to give: {error}"))?;
    Ok(alphabet.encode(bytes))
}
