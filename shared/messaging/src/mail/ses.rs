//! The mail service, on Amazon SES.

use std::error::Error;

use aws_sdk_ses::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ses::operation::send_raw_email::SendRawEmailInput;
use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::RawMessage;
use consigne_aws::connections::was_never_connected;
use consigne_aws::{AwsConfig, Client};
use consigne_core::Fault;
use consigne_core::mail::{Handover, Mail, Sender};
use consigne_core::ports::SendMail;

use super::mime;

consigne_aws::service! {
    /// Amazon SES, with the operation used here.
    struct Ses: "ses" at "email";
    aws_sdk_ses::send_raw_email, SendRawEmail, SendRawEmailInputBuilder, SendRawEmailInput, SendRawEmailOutput, SendRawEmailError;
}

/// Sends mails from one sender.
#[derive(Clone, Debug)]
pub struct Mailer {
    client: Client<Ses>,
    sender: Sender,
    configuration_set: String,
}

impl Mailer {
    /// Creates an adapter for a sender. The configuration set publishes bounces and complaints.
    pub fn new(config: &AwsConfig, sender: Sender, configuration_set: impl Into<String>) -> Self {
        // No retries: a try whose answer was lost may have succeeded, so only the holder of the mail's claim may decide
        // to send again.
        Self { client: Client::new(config).once(), sender, configuration_set: configuration_set.into() }
    }
}

impl SendMail for Mailer {
    async fn send_mail(&self, mail: &Mail) -> Result<Handover, Fault> {
        let message = RawMessage::builder().data(Blob::new(mime::write(&self.sender, mail)?)).build();
        let send = SendRawEmailInput::builder()
            .source(self.sender.address.as_str())
            .destinations(mail.to.as_str())
            .configuration_set_name(&self.configuration_set)
            .raw_message(message.map_err(Fault::internal)?);
        match self.client.send(send).await {
            Ok(accepted) => Ok(Handover::Accepted(accepted.message_id)),
            Err(error) => classify_failure(error),
        }
    }
}

/// Classifies a failed call. A refusal because of SES or the sender is temporary. A refusal because of the mail is final.
///
/// Source: Amazon SES API reference, "`SendRawEmail`" and "Common errors".
fn classify_failure<E>(error: SdkError<E>) -> Result<Handover, Fault>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let SdkError::ServiceError(answer) = &error else {
        let fault = Fault::unavailable(error);
        return if was_never_reached(&fault) { Ok(Handover::NotNow(fault)) } else { Err(fault) };
    };
    let code = answer.err().code().unwrap_or("an error without a code");
    let said = format!("{code}: {}", without_addresses(answer.err().message().unwrap_or_default()));
    // Unverified identities and paused accounts are the operator's problem, not the mail's. Source: Amazon SES
    // developer guide, "Amazon SES email sending errors".
    let ours = ["not verified", "paused", "suspended", "disabled", "shut down"].iter().any(|word| said.contains(word));
    if matches!(code, "MessageRejected" | "InvalidParameterValue") && !ours {
        return Ok(Handover::Refused(said));
    }
    match answer.raw().status().as_u16() {
        // SES failed during the call, so the mail may have been accepted.
        500 | 502 | 504 => Err(Fault::unavailable(said)),
        _ => Ok(Handover::NotNow(Fault::unavailable(said))),
    }
}

/// Replaces addresses in a sentence of SES, because it goes into the log.
fn without_addresses(sentence: &str) -> String {
    let words = sentence.split_whitespace();
    words.map(|word| if word.contains('@') { "<address>" } else { word }).collect::<Vec<_>>().join(" ")
}

/// Returns whether no connection was opened, so that nothing can have been accepted.
fn was_never_reached(fault: &Fault) -> bool {
    fault.source().is_some_and(was_never_connected)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use aws_sdk_ses::config::http::HttpResponse;
    use aws_sdk_ses::error::{ConnectorError, ErrorMetadata};
    use aws_sdk_ses::operation::send_raw_email::SendRawEmailError;
    use aws_smithy_runtime_api::client::http::HttpConnector as _;
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_types::body::SdkBody;
    use consigne_aws::connections::{Connections, IDLE, Roots, Terms};

    use super::*;

    /// Returns in a word what an answer of SES means.
    fn meaning(status: u16, code: &str, message: &str) -> String {
        let error = SendRawEmailError::generic(ErrorMetadata::builder().code(code).message(message).build());
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        word(SdkError::service_error(error, response))
    }

    fn word(error: SdkError<SendRawEmailError>) -> String {
        match classify_failure(error) {
            Ok(Handover::Accepted(_)) => unreachable!("an error is no acceptance"),
            Ok(Handover::Refused(why)) => format!("refused for good: {why}"),
            Ok(Handover::NotNow(fault)) => format!("another time: {}", fault.source().unwrap()),
            Err(fault) => format!("perhaps: {}", fault.code.as_str()),
        }
    }

    #[test]
    fn failures_are_classified_as_refused_not_now_or_unknown() {
        for (status, code, message, want) in [
            (
                400,
                "Throttling",
                "Maximum sending rate exceeded.",
                "another time: Throttling: Maximum sending rate exceeded.",
            ),
            (
                454,
                "Throttling",
                "Daily message quota exceeded.",
                "another time: Throttling: Daily message quota exceeded.",
            ),
            (503, "ServiceUnavailable", "", "another time: ServiceUnavailable: "),
            (500, "InternalFailure", "", "perhaps: UNAVAILABLE"),
            (400, "AccountSendingPausedException", "", "another time: AccountSendingPausedException: "),
            (400, "ConfigurationSetDoesNotExist", "", "another time: ConfigurationSetDoesNotExist: "),
            (403, "AccessDenied", "no", "another time: AccessDenied: no"),
            (
                400,
                "MessageRejected",
                "Address is on the suppression list",
                "refused for good: MessageRejected: Address is on the suppression list",
            ),
            (
                400,
                "InvalidParameterValue",
                "Missing final '@domain'",
                "refused for good: InvalidParameterValue: Missing final <address>",
            ),
            (
                400,
                "MessageRejected",
                "Email address is not verified: ann@example.com",
                "another time: MessageRejected: Email address is not verified: <address>",
            ),
            (
                400,
                "MessageRejected",
                "Sending paused for this account.",
                "another time: MessageRejected: Sending paused for this account.",
            ),
        ] {
            assert_eq!(meaning(status, code, message), want);
        }
    }

    #[tokio::test]
    async fn without_an_answer_the_outcome_is_unknown_unless_no_connection_was_opened() {
        let terms = Terms {
            roots: Roots::Amazon,
            connect: Duration::from_secs(1),
            answer: Duration::from_secs(1),
            idle: IDLE,
            allowed: |_| true,
        };
        let nobody = Connections::new(terms).call(HttpRequest::get("http://127.0.0.1:1").unwrap()).await.unwrap_err();
        assert!(word(SdkError::dispatch_failure(nobody)).starts_with("another time"));
        let reset = std::io::Error::from(ErrorKind::ConnectionReset);
        assert_eq!(word(SdkError::dispatch_failure(ConnectorError::io(reset.into()))), "perhaps: UNAVAILABLE");
        assert_eq!(word(SdkError::timeout_error("late")), "perhaps: UNAVAILABLE");
    }
}
