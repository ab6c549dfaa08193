//! The headers that the gateway forwards to an upstream, and those that it returns to the caller.

/// Most bytes of names and values of all headers together, in either direction.
///
/// Source: Amazon API Gateway developer guide, "Quotas for HTTP APIs": 10,240 bytes, which also hold the headers that
/// API Gateway adds.
pub const HEADERS_MAX: usize = 8 * 1024;

/// Hop-by-hop headers, which belong to one connection, as do those that `Connection` lists. Source: RFC 9110, section
/// 7.6.1.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Request headers that upstreams do not get: credentials of the caller, headers that proxies add, and headers that the
/// request to the upstream sets itself.
const NOT_FORWARDED: &[&str] = &[
    "alt-used",
    "authorization",
    "content-length",
    "cookie",
    "cookie2",
    "early-data",
    "expect",
    "forwarded",
    "http2-settings",
    "max-forwards",
    "proxy",
    "surrogate-capability",
    "surrogate-control",
    "via",
    "x-api-key",
    "x-auth",
    "x-clerk-auth-token",
    "x-email",
    "x-groups",
    "x-iinfo",
    "x-jwt",
    "x-roles",
    "x-sendfile",
    "x-user",
    "x-username",
];
/// Prefixes of further request headers that upstreams do not get: the names with which proxies, CDNs, clouds and
/// single-sign-on gateways report who is calling, from where, and how.
const NOT_FORWARDED_FAMILIES: &[&str] = &[
    "akamai-",
    "cdn-",
    "cf-",
    "client-",
    "cloudfront-",
    "disguised-",
    "fastly-",
    "fly-",
    "front-end-",
    "incap-",
    "l5d-",
    "oidc-",
    "proxy-",
    "remote-",
    "rndr-",
    "ssl-",
    "tls-",
    "true-client-",
    "was-",
    "wl-proxy-",
    "x-accel-",
    "x-akamai-",
    "x-amz-",
    "x-amzn-",
    "x-anonymous-",
    "x-appengine-",
    "x-auth-",
    "x-appgw-",
    "x-arr-",
    "x-auth-request-",
    "x-authelia-",
    "x-authenticated-",
    "x-authentik-",
    "x-azure-",
    "x-bluecoat-",
    "x-cdn-",
    "x-cloud-",
    "x-cluster-",
    "x-consigne-",
    "x-coming-",
    "x-consumer-",
    "x-credential-",
    "x-edge-",
    "x-envoy-",
    "x-fastly-",
    "x-fd-",
    "x-forward",
    "x-gfe-",
    "x-goog-",
    "x-google-",
    "x-haproxy-",
    "x-heroku-",
    "x-internal-",
    "x-istio-",
    "x-jwt-",
    "x-kong-",
    "x-middleware-",
    "x-ms-",
    "x-netlify-",
    "x-nf-",
    "x-nginx-",
    "x-oauth-",
    "x-oidc-",
    "x-original-",
    "x-pomerium-",
    "x-proxy",
    "x-railway-",
    "x-real-",
    "x-remote-",
    "x-rewrite-",
    "x-script-",
    "x-ssl-",
    "x-tls-",
    "x-traefik-",
    "x-trusted-",
    "x-tyk-",
    "x-user-email",
    "x-user-role",
    "x-vercel-",
    "x-waws-",
    "x-webauth-",
];
/// Words between hyphens that mark a header of any other proxy, wherever they stand.
const NOT_FORWARDED_WORDS: &[&str] = &[
    "clientaddr",
    "clientcert",
    "clientip",
    "connectingip",
    "forwarded",
    "originip",
    "peerip",
    "realip",
    "remoteip",
    "socketip",
    "sourceip",
    "subrequest",
    "userip",
];
/// Words about a connection: the address or the host of a call, its protocol, the caller's certificate, or a method or
/// path instead of those whose scope was checked. Applications use them for things of their own, as in `X-Smtp-Host`. So
/// they mark a header of a proxy only if its name has nothing else, as `X-Host`, or one of [`ENDS_OF_A_CALL`], as
/// `X-Acme-Client-IP`.
const CONNECTION_WORDS: &[&str] = &[
    "addr",
    "address",
    "cert",
    "host",
    "hostname",
    "https",
    "ip",
    "ipaddress",
    "method",
    "override",
    "port",
    "proto",
    "protocol",
    "scheme",
];
/// Words that say whose connection a name is about: the caller's, or that of the request before a proxy changed it.
const ENDS_OF_A_CALL: &[&str] = &[
    "caller",
    "client",
    "connecting",
    "connection",
    "external",
    "from",
    "http",
    "orig",
    "origin",
    "original",
    "originating",
    "peer",
    "public",
    "real",
    "remote",
    "request",
    "server",
    "socket",
    "source",
    "src",
    "true",
    "url",
    "user",
    "viewer",
    "visitor",
];

/// Response headers that callers do not get: those that would apply to our whole origin, and those that we set
/// ourselves.
const NOT_RETURNED: [&str; 10] = [
    "alt-svc",
    "cache-control",
    "clear-site-data",
    "content-length",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "x-content-type-options",
    "x-credits-remaining",
    "x-request-id",
];
/// Prefixes of further response headers that callers do not get.
const NOT_RETURNED_FAMILIES: [&str; 3] = ["access-control-", "x-amz", "x-consigne-"];

/// Returns the request headers that the upstream gets. A header that contains the key is left out.
pub fn forwarded(headers: &[(&str, &str)], key: &str) -> Vec<(String, String)> {
    let mut kept = passing(headers, NOT_FORWARDED, NOT_FORWARDED_FAMILIES);
    kept.retain(|(name, value)| !is_of_a_proxy(&plain(name)) && !value.contains(key) && !name.contains(key));
    kept
}

/// Returns whether the words of a name mark a header with which a proxy reports a call.
fn is_of_a_proxy(name: &str) -> bool {
    let (connection, others): (Vec<&str>, Vec<&str>) =
        name.split('-').filter(|word| *word != "x").partition(|word| CONNECTION_WORDS.contains(word));
    others.iter().any(|word| NOT_FORWARDED_WORDS.contains(word))
        || !connection.is_empty() && (others.is_empty() || others.iter().any(|word| ENDS_OF_A_CALL.contains(word)))
}

/// Returns the response headers that the caller gets.
pub fn returned(headers: &[(String, String)]) -> Vec<(String, String)> {
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    passing(&headers, &NOT_RETURNED, &NOT_RETURNED_FAMILIES)
}

/// Returns the headers that are neither hop-by-hop, nor stopped by name or prefix.
fn passing(headers: &[(&str, &str)], stopped: &[&str], families: &[&str]) -> Vec<(String, String)> {
    let connection = headers.iter().filter(|(name, _)| plain(name) == "connection");
    let named: Vec<String> =
        connection.flat_map(|(_, value)| value.split(',')).map(|name| plain(name.trim())).collect();
    let passes = |name: &str| {
        let name = plain(name);
        !HOP_BY_HOP.contains(&name.as_str())
            && !named.contains(&name)
            && !stopped.contains(&name.as_str())
            && !families.iter().any(|family| name.starts_with(family))
    };
    let kept = headers.iter().filter(|(name, _)| passes(name));
    kept.map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect()
}

/// Returns a header name in the form in which names are compared: lower case, with `-` for `_`. Many servers treat `_`
/// as `-`, so `X_Consigne_Org` could pass for a header of ours.
fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
