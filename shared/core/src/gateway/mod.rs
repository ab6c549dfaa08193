//! The gateway in front of services: which upstream a call goes to, what is forwarded, and whether the call is charged.

mod headers;
mod reach;
mod target;
mod upstreams;
mod verdict;

pub use headers::{HEADERS_MAX, forwarded, returned};
pub use reach::Reach;
pub use target::target;
pub use upstreams::{Upstream, Upstreams, UpstreamsError};
pub(crate) use upstreams::{address, host};
pub use verdict::{Answered, Failure, UpstreamCall, UpstreamOutcome, Verdict};

use crate::services::{Service, service, unknown_service};
use crate::{Code, Fault};

/// Name of the gateway as the service that opens and ends its holds. The `@` keeps it apart from the names of services
/// with a token.
pub const CALLER: &str = "@gateway";

/// The methods that are forwarded.
pub const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Finds the service of a call, and the scope that its key needs.
///
/// # Errors
/// `SERVICE_UNKNOWN` if it is not in the catalogue; `METHOD_NOT_ALLOWED` unless the method is one of [`METHODS`].
pub fn asked_of(name: &str, method: &str) -> Result<(&'static Service, &'static str), Fault> {
    let unknown = || Fault::new(Code::ServiceUnknown, unknown_service(name));
    let service = service(name).ok_or_else(unknown)?;
    if !METHODS.contains(&method) {
        let allowed = METHODS.join(", ");
        let message = format!("method {method} is not forwarded; use {allowed}");
        return Err(Fault::new(Code::MethodNotAllowed, message).header("allow", allowed));
    }
    let reads = matches!(method, "GET" | "HEAD");
    Ok((service, if reads { service.read_scope } else { service.write_scope }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_follows_from_service_and_method() {
        let scope = |name: &str, method: &str| asked_of(name, method).map(|(_, scope)| scope).map_err(|f| f.code);
        for (name, method, want) in [
            ("pdf", "GET", Ok("pdf:read")),
            ("pdf", "HEAD", Ok("pdf:read")),
            ("pdf", "POST", Ok("pdf:write")),
            ("ai", "DELETE", Ok("ai:write")),
            ("ai", "PATCH", Ok("ai:write")),
            ("mileage", "GET", Ok("mileage:calculate")),
            ("mileage", "POST", Ok("mileage:calculate")),
            ("fax", "GET", Err(Code::ServiceUnknown)),
            ("PDF", "GET", Err(Code::ServiceUnknown)),
            ("pdf", "OPTIONS", Err(Code::MethodNotAllowed)),
            ("pdf", "TRACE", Err(Code::MethodNotAllowed)),
            ("pdf", "CONNECT", Err(Code::MethodNotAllowed)),
            ("pdf", "get", Err(Code::MethodNotAllowed)),
        ] {
            assert_eq!(scope(name, method), want, "{method} {name}");
        }
    }
}
