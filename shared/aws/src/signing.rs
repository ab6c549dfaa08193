//! Signs requests to AWS with Signature Version 4.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

/// Returns a copy of the request with the signature's headers added.
pub(crate) fn signed(
    request: &HttpRequest,
    identity: &Identity,
    region: &str,
    name: &str,
    settings: SigningSettings,
) -> Result<HttpRequest, BoxError> {
    let mut signed = request.try_clone().ok_or("the request cannot be sent twice")?;
    // A signature carries the current time. Only AWS checks it; no rule of ours depends on it.
    #[allow(clippy::disallowed_methods)]
    let now = SystemTime::now();
    let params = v4::SigningParams::builder()
        .identity(identity)
        .region(region)
        .name(name)
        .time(now)
        .settings(settings)
        .build()?;
    let body = request.body().bytes().map_or(SignableBody::UnsignedPayload, SignableBody::Bytes);
    let headers = request.headers().iter();
    let signable = SignableRequest::new(request.method(), request.uri(), headers, body)?;
    let (instructions, _) = sign(signable, &params.into())?.into_parts();
    for header in instructions.into_parts().0 {
        signed.headers_mut().try_insert(header.name(), header.value().to_owned())?;
    }
    Ok(signed)
}
