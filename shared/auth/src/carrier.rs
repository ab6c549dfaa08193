//! Finds the credential in a request's headers.

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
    /// `X-Clerk-Auth-Token`, cookie `__session`, cookie `__session_<suffix>`. If its value is bad, the next ones are
    /// not tried, so that nobody can replace a stronger credential by a weaker one.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if there is none or it cannot be read, `API_KEY_NOT_ACCEPTED` if it is an API key.
    pub fn find(&self) -> Result<(Carrier, &'a str), Fault> {
        let (carrier, token) = if self.headers.contains_key(AUTHORIZATION) {
            (Carrier::Header, self.single(AUTHORIZATION.as_str()).map(without_scheme))
        } else if self.headers.contains_key("x-clerk-auth-token") {
            (Carrier::Header, self.single("x-clerk-auth-token"))
        } else {
            (Carrier::Cookie, self.session_cookie())
        };
        match token {
            // Recognised only to give a helpful refusal.
            Some(key) if looks_like_key(key) => {
                Err(Fault::new(Code::ApiKeyNotAccepted, "This route takes a session token, not an API key")
                    .header("www-authenticate", "Bearer"))
            }
            Some(token) if !token.is_empty() => Ok((carrier, token)),
            _ => Err(unauthenticated("Sign in first")),
        }
    }

    /// Returns the token of `Authorization: Bearer <token>`, the only carrier of service tokens.
    pub(crate) fn bearer(&self) -> Option<&'a str> {
        let (scheme, token) = self.single(AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
    }

    /// Returns the API key of a call through the gateway: `Authorization: Bearer <key>`, or `X-API-Key: <key>`. The
    /// first carrier present is used; if its value is bad, the next one is not tried.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if there is none or it cannot be read.
    pub fn api_key(&self) -> Result<&'a str, Fault> {
        let key = if self.headers.contains_key(AUTHORIZATION) { self.bearer() } else { self.single("x-api-key") };
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

    /// Returns the trimmed value of a header that occurs exactly once.
    fn single(&self, name: &str) -> Option<&'a str> {
        let mut values = self.headers.get_all(name).iter();
        let (first, more) = (values.next()?, values.next());
        if more.is_some() { None } else { first.to_str().ok().map(str::trim) }
    }

    fn session_cookie(&self) -> Option<&'a str> {
        let cookies = || {
            let headers = self.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
            headers.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
        };
        let exact = cookies().find(|(name, _)| *name == "__session");
        exact.or_else(|| cookies().find(|(name, _)| name.starts_with("__session_"))).map(|(_, value)| value)
    }
}

/// Removes `Bearer`, in any case, from an `Authorization` value. A bare token has no scheme. Source: RFC 9110, section
/// 11.4.
fn without_scheme(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
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
        credentials.find().map(|(_, token)| token.to_owned()).map_err(|fault| fault.code)
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
            ("cookie", "__session_Ab12=other; __session=t"),
        ] {
            assert_eq!(find(&[carrier]), Ok("t".to_owned()), "{carrier:?}");
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
    }

    #[test]
    fn an_api_key_is_read_from_the_first_of_two_headers() {
        let key = |pairs: &[(&str, &str)]| {
            let headers = headers(pairs);
            Credentials { headers: &headers, writes: true }.api_key().map(str::to_owned).map_err(|fault| fault.code)
        };
        for pairs in [
            &[("authorization", "Bearer k")][..],
            &[("authorization", "bearer  k ")],
            &[("x-api-key", "k")],
            &[("x-api-key", " k ")],
            &[("authorization", "Bearer k"), ("x-api-key", "other")],
        ] {
            assert_eq!(key(pairs), Ok("k".to_owned()), "{pairs:?}");
        }
        for pairs in [
            &[][..],
            &[("authorization", "k")],
            &[("authorization", "Basic k")],
            &[("authorization", "Bearer ")],
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
