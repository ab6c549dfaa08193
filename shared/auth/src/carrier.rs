//! Finds the credential in a request's headers.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_core::text::pasted;
use consigne_core::{Code, Fault};
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, ORIGIN};

use crate::api_key::looks_like_key;

/// The parts of a request that decide who is calling.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// Whether the request changes anything, as every method but GET and HEAD does.
    pub writes: bool,
}

/// How a credential was carried. A browser sends cookies without being asked, so they need more proof than a header
/// that a program set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Carrier {
    Header,
    Cookie,
}

impl<'a> Credentials<'a> {
    /// Finds the credential. The first carrier present is used: `Authorization: Bearer t`, `Authorization: t`,
    /// `X-Clerk-Auth-Token`, then cookies. If its value is bad, the next ones are not tried, so that nobody can replace
    /// a stronger credential by a weaker one.
    ///
    /// A header carries one token. Of cookies all candidates are returned, because applications of other issuers on the
    /// same host set cookies with the same names: first `__session`, then every `__session_<suffix>`.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if there is none or it cannot be read, `API_KEY_NOT_ACCEPTED` if it is an API key.
    pub fn find(&self) -> Result<(Carrier, Vec<&'a str>), Fault> {
        let (carrier, mut tokens): (Carrier, Vec<&str>) = if self.headers.contains_key(AUTHORIZATION) {
            (Carrier::Header, self.single(AUTHORIZATION.as_str()).map(without_scheme).into_iter().collect())
        } else if self.headers.contains_key("x-clerk-auth-token") {
            (Carrier::Header, self.single("x-clerk-auth-token").into_iter().collect())
        } else {
            (Carrier::Cookie, self.session_cookies())
        };
        tokens.retain(|token| !token.is_empty());
        let some = !tokens.is_empty();
        // Recognised only to give a helpful refusal.
        tokens.retain(|token| !looks_like_key(token) && !holds_key(token));
        if some && tokens.is_empty() {
            return Err(Fault::new(Code::ApiKeyNotAccepted, "This route takes a session token, not an API key")
                .header("www-authenticate", "Bearer"));
        }
        if tokens.is_empty() { Err(unauthenticated("Sign in first")) } else { Ok((carrier, tokens)) }
    }

    /// Returns the token of `Authorization: Bearer <token>` or `Authorization: Basic <base64 of token:>`, as `curl -u
    /// token:` sends it. Service tokens have no other carrier.
    pub(crate) fn bearer(&self) -> Option<Cow<'a, str>> {
        let value = self.single(AUTHORIZATION.as_str())?;
        let (scheme, token) = value.split_once(' ')?;
        let token = if scheme.eq_ignore_ascii_case("bearer") {
            Cow::Borrowed(pasted(token))
        } else {
            Cow::Owned(basic_user(value)?)
        };
        (!token.is_empty()).then_some(token)
    }

    /// Returns the API key of a call through the gateway: `Authorization: Bearer <key>`, `Authorization: Basic <base64
    /// of key:>`, as `curl -u key:` sends it, or `X-API-Key: <key>`. The first carrier present is used; if its value is
    /// bad, the next one is not tried.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if there is none or it cannot be read.
    pub fn api_key(&self) -> Result<Cow<'a, str>, Fault> {
        let by_header = || self.single("x-api-key").map(Cow::Borrowed);
        let key = if self.headers.contains_key(AUTHORIZATION) { self.bearer() } else { by_header() };
        key.filter(|key| !key.is_empty())
            .ok_or_else(|| unauthenticated("Send an API key as `Authorization: Bearer <key>` or `X-API-Key: <key>`"))
    }

    /// Refuses a write that another site may have made a browser send: one that is authenticated by cookie and whose
    /// `Origin` is not one of ours.
    ///
    /// # Errors
    /// `ORIGIN_NOT_ALLOWED` for such a write.
    pub fn check_origin(&self, carrier: Carrier, allowed: &[String]) -> Result<(), Fault> {
        if carrier == Carrier::Header || !self.writes {
            return Ok(());
        }
        let origin = self.single(ORIGIN.as_str());
        if origin.is_some_and(|origin| allowed.iter().any(|known| known == origin)) {
            return Ok(());
        }
        Err(Fault::new(
            Code::OriginNotAllowed,
            "Origin must be one of the allowed origins for a write with a session cookie",
        ))
    }

    /// Returns the value of a header that occurs exactly once, without what pasting may have added around it.
    pub(crate) fn single(&self, name: &str) -> Option<&'a str> {
        let mut values = self.headers.get_all(name).iter();
        let (first, more) = (values.next()?, values.next());
        if more.is_some() { None } else { std::str::from_utf8(first.as_bytes()).ok().map(pasted) }
    }

    /// Returns the values of all session cookies. Cookies are read one by one, so that one that is not plain text does
    /// not hide the others.
    fn session_cookies(&self) -> Vec<&'a str> {
        let pairs = self.headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
        let cookies: Vec<(&str, &str)> =
            pairs.filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('=')).collect();
        let exact = cookies.iter().filter(|(name, _)| *name == "__session");
        let suffixed = cookies.iter().filter(|(name, _)| name.starts_with("__session_"));
        exact.chain(suffixed).map(|(_, value)| value.trim().trim_matches('"')).collect()
    }
}

/// Returns the user name of `Authorization: Basic <base64 of user:password>`, where the password must be empty.
/// Source: RFC 7617, section 2.
fn basic_user(value: &str) -> Option<String> {
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())??;
    let text = String::from_utf8(decoded).ok()?;
    let user = pasted(text.strip_suffix(':').unwrap_or(&text));
    (!user.is_empty() && !user.contains(':')).then(|| user.to_owned())
}

/// Returns whether an `Authorization` value is Basic with an API key.
fn holds_key(value: &str) -> bool {
    basic_user(value).is_some_and(|user| looks_like_key(&user))
}

/// Removes `Bearer`, in any case, from an `Authorization` value. A bare token has no scheme. Source: RFC 9110, section
/// 11.4.
fn without_scheme(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => pasted(token),
        _ => value,
    }
}

/// The 401 for every failed authentication. `WWW-Authenticate` is required by RFC 9110, section 11.6.1.
pub(crate) fn unauthenticated(message: &'static str) -> Fault {
    Fault::new(Code::Unauthenticated, message).header("www-authenticate", "Bearer")
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn find(pairs: &[(&str, &str)]) -> Result<String, Code> {
        let headers = headers(pairs);
        let credentials = Credentials { headers: &headers, writes: false };
        credentials.find().map(|(_, tokens)| tokens.join(" ")).map_err(|fault| fault.code)
    }

    #[test]
    fn every_carrier_is_found() {
        for carrier in [
            ("authorization", "Bearer t"),
            ("authorization", "bearer  t"),
            ("authorization", "t"),
            ("x-clerk-auth-token", "t"),
            ("cookie", "a=b; __session=t; c=d"),
            ("cookie", "__session_Ab12=t"),
            ("cookie", "thème=été; __session=t"),
            ("cookie", "__session=t; a"),
            ("cookie", "__session=\"t\""),
            ("cookie", "__session=; __session_Ab12=t"),
            ("cookie", "__session=sk_live_x; __session_Ab12=t"),
        ] {
            assert_eq!(find(&[carrier]), Ok("t".to_owned()), "{carrier:?}");
        }
    }

    #[test]
    fn all_session_cookies_are_candidates_the_one_without_suffix_first() {
        let cookies = ("cookie", "__session_Ab12=u; __session=t; __sessions=x; __session_Cd34=v");
        assert_eq!(find(&[cookies]), Ok("t u v".to_owned()));
        assert_eq!(find(&[("cookie", "__session=t"), ("cookie", "__session_Ab12=u")]), Ok("t u".to_owned()));
    }

    #[test]
    fn a_cookie_of_any_bytes_hides_no_other() {
        for bytes in [&b"a=\xe9\xff; __session=t"[..], b"__session=t; \xff=\xff", b"__session_X=\xff; __session=t"] {
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(bytes).unwrap())]);
            let found = Credentials { headers: &headers, writes: false }.find().unwrap();
            assert_eq!(found, (Carrier::Cookie, vec!["t"]), "{bytes:?}");
        }
    }

    #[test]
    fn the_first_carrier_present_never_falls_through() {
        assert_eq!(find(&[("authorization", ""), ("cookie", "__session=t")]), Err(Code::Unauthenticated));
        assert_eq!(find(&[("authorization", "Bearer"), ("cookie", "__session=t")]), Ok("Bearer".to_owned()));
        assert_eq!(find(&[("x-clerk-auth-token", ""), ("cookie", "__session=t")]), Err(Code::Unauthenticated));
        assert_eq!(find(&[("authorization", "a"), ("authorization", "b")]), Err(Code::Unauthenticated));
        assert_eq!(find(&[("cookie", "session=t")]), Err(Code::Unauthenticated));
        assert_eq!(find(&[]), Err(Code::Unauthenticated));
    }

    #[test]
    fn an_api_key_is_refused_with_its_own_code() {
        assert_eq!(find(&[("authorization", "Bearer sk_live_x")]), Err(Code::ApiKeyNotAccepted));
        assert_eq!(find(&[("x-clerk-auth-token", "sk_test_x")]), Err(Code::ApiKeyNotAccepted));
        assert_eq!(find(&[("cookie", "__session=sk_test_x")]), Err(Code::ApiKeyNotAccepted));
        let basic = format!("Basic {}", STANDARD.encode("sk_test_x:"));
        assert_eq!(find(&[("authorization", &basic)]), Err(Code::ApiKeyNotAccepted));
    }

    #[test]
    fn an_api_key_is_read_from_the_first_of_two_headers() {
        let key = |pairs: &[(&str, &str)]| {
            let headers = headers(pairs);
            Credentials { headers: &headers, writes: true }.api_key().map(Cow::into_owned).map_err(|fault| fault.code)
        };
        for pairs in [
            &[("authorization", "Bearer k")][..],
            &[("authorization", "bearer  k ")],
            &[("x-api-key", "k")],
            &[("x-api-key", " k ")],
            &[("x-api-key", "\u{a0}k\u{200b}")],
            &[("authorization", "Bearer \u{feff}k")],
            // `k:`, `k`, ` k ` and `k :`.
            &[("authorization", "Basic azo=")],
            &[("authorization", "basic  aw==")],
            &[("authorization", "Basic IGsg")],
            &[("authorization", "Basic ayA6"), ("x-api-key", "other")],
            &[("authorization", "Bearer k"), ("x-api-key", "other")],
        ] {
            assert_eq!(key(pairs), Ok("k".to_owned()), "{pairs:?}");
        }
        for pairs in [
            &[][..],
            &[("authorization", "k")],
            &[("authorization", "Basic k")],
            &[("authorization", "Bearer ")],
            // `k:password`, `:k`, `:` and what is not base64.
            &[("authorization", "Basic azpwYXNzd29yZA==")],
            &[("authorization", "Basic Oms=")],
            &[("authorization", "Basic Og==")],
            &[("authorization", "Basic {}")],
            &[("authorization", ""), ("x-api-key", "k")],
            &[("authorization", "Basic x"), ("x-api-key", "k")],
            &[("x-api-key", "")],
            &[("x-api-key", "k"), ("x-api-key", "k")],
            &[("cookie", "__session=k")],
        ] {
            assert_eq!(key(pairs), Err(Code::Unauthenticated), "{pairs:?}");
        }
    }

    #[test]
    fn only_a_cookie_write_needs_an_origin() {
        let allowed = ["https://app.example".to_owned()];
        let check = |pairs: &[(&str, &str)], carrier, writes| {
            let headers = headers(pairs);
            Credentials { headers: &headers, writes }.check_origin(carrier, &allowed).is_ok()
        };
        assert!(check(&[], Carrier::Header, true));
        assert!(check(&[], Carrier::Cookie, false));
        assert!(check(&[("origin", "https://app.example")], Carrier::Cookie, true));
        assert!(!check(&[], Carrier::Cookie, true));
        assert!(!check(&[("origin", "null")], Carrier::Cookie, true));
        assert!(!check(&[("origin", "https://app.example.evil")], Carrier::Cookie, true));
    }
}
