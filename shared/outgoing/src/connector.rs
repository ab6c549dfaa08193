//! Connections to Stripe and to the issuer of session tokens. Only the operator sets their addresses, so every address is
//! allowed.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use consigne_aws::connections::{Connections, IDLE, Roots, Terms};

/// Longest time to open a TCP and TLS connection, the same as to AWS. A function with 256 MB has a seventh of a processor,
/// so a handshake just after its start may take more than a second.
const CONNECT: Duration = Duration::from_millis(3_100);

/// Creates a connector that accepts the machine's root certificates. An answer may take as long as `answer`.
pub(crate) fn connector(answer: Duration) -> SharedHttpConnector {
    let terms = Terms { roots: Roots::Machine, connect: CONNECT, answer, idle: IDLE, allowed: |_| true };
    SharedHttpConnector::new(Connections::new(terms))
}
