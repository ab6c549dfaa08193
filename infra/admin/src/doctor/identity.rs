//! Checks of the keys with which session tokens are verified: that they are there, and that they are the issuer's.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use consigne_auth::KeySource;
use serde_json::Value;

use super::Patient;
use super::finding::Finding;

const KEYS: &str = "sign-in keys";
const ISSUER: &str = "sign-in issuer";
/// Where Clerk publishes an issuer's keys, below the issuer.
const PUBLISHED: &str = "/.well-known/jwks.json";
const CURE: &str =
    "set ClerkIssuer, and ClerkJwksUrl or ClerkJwtKey, as Clerk shows them under \"API keys\"; `make deploy`";

/// Checks the keys, and whether they are those that the issuer publishes.
pub(crate) async fn all(patient: &Patient) -> Vec<Finding> {
    let issuer = patient.facts.parameter("ClerkIssuer").trim_end_matches('/').to_owned();
    let (pem, url) = (patient.facts.parameter("ClerkJwtKey"), patient.facts.parameter("ClerkJwksUrl"));
    let published = format!("{issuer}{PUBLISHED}");
    if pem.is_empty() {
        let read = patient.web.get(url, None).await;
        let keys = read.and_then(|answer| key_set(&answer));
        let found = match &keys {
            Ok(keys) => Finding::ok(KEYS, format!("{url} has {}", counted(keys.len()))),
            Err(why) => Finding::failed(KEYS, format!("{url}: {why}: nobody can sign in"), CURE),
        };
        let Ok(keys) = keys else { return vec![found] };
        if url == published {
            return vec![found, Finding::ok(ISSUER, format!("the keys are those of {issuer}"))];
        }
        let own = patient.web.get(&published, None).await.and_then(|answer| key_set(&answer));
        return vec![found, same(&issuer, own.as_deref(), |key| keys.iter().any(|one| one == key))];
    }
    let found = match KeySource::from_pem(pem) {
        Ok(_) => Finding::ok(KEYS, "the public key can be read"),
        Err(error) => return vec![Finding::failed(KEYS, format!("ClerkJwtKey: {error}: nobody can sign in"), CURE)],
    };
    if patient.laptop {
        let text = "the laptop's own issuer publishes no keys";
        return vec![found, Finding::not_on_laptop(ISSUER, text)];
    }
    let own = patient.web.get(&published, None).await.and_then(|answer| key_set(&answer));
    let keys = ders(pem);
    vec![found, same(&issuer, own.as_deref(), |key| keys.iter().any(|der| contains(der, key)))]
}

/// Judges whether one of the keys that an issuer publishes is among ours.
fn same(issuer: &str, published: Result<&[Vec<u8>], &String>, ours: impl Fn(&[u8]) -> bool) -> Finding {
    match published {
        Err(why) => Finding::warning(ISSUER, format!("cannot be compared: {issuer}{PUBLISHED}: {why}"), CURE),
        Ok(keys) if keys.iter().any(|key| ours(key)) => Finding::ok(ISSUER, format!("the keys are those of {issuer}")),
        Ok(_) => Finding::failed(ISSUER, format!("the keys are not those of {issuer}: nobody can sign in"), CURE),
    }
}

/// Reads the moduli of the RSA keys of a key set.
fn key_set((status, body): &(u16, String)) -> Result<Vec<Vec<u8>>, String> {
    if *status != 200 {
        return Err(format!("answers {status}"));
    }
    let set: Value = serde_json::from_str(body).map_err(|_| "is not JSON".to_owned())?;
    let keys = set["keys"].as_array().ok_or("is not a key set: it has no `keys`")?;
    let modulus = |key: &Value| URL_SAFE_NO_PAD.decode(key["n"].as_str()?.trim_end_matches('=')).ok();
    let found: Vec<Vec<u8>> = keys.iter().filter(|key| key["kty"] == "RSA").filter_map(modulus).collect();
    if found.is_empty() { Err("has no RSA key".to_owned()) } else { Ok(found) }
}

/// Decodes the public keys of a text in PEM.
fn ders(pem: &str) -> Vec<Vec<u8>> {
    let pem = pem.replace("\\n", "\n");
    let bodies = pem.split("-----BEGIN PUBLIC KEY-----").filter_map(|part| part.split("-----END").next());
    let plain = bodies.map(|body| body.chars().filter(|c| !c.is_whitespace()).collect::<String>());
    plain.filter(|body| !body.is_empty()).filter_map(|body| STANDARD.decode(body).ok()).collect()
}

/// Returns whether a key in DER has this modulus, which it contains byte for byte.
fn contains(der: &[u8], modulus: &[u8]) -> bool {
    !modulus.is_empty() && der.windows(modulus.len()).any(|window| window == modulus)
}

fn counted(keys: usize) -> String {
    if keys == 1 { "1 RSA key".to_owned() } else { format!("{keys} RSA keys") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::finding::State;

    const MODULUS: [u8; 40] = [7; 40];

    fn answer(status: u16, body: &str) -> (u16, String) {
        (status, body.to_owned())
    }

    #[test]
    fn only_a_key_set_with_an_rsa_key_will_do() {
        let n = URL_SAFE_NO_PAD.encode(MODULUS);
        let good = json!({ "keys": [{ "kty": "RSA", "kid": "a", "n": n, "e": "AQAB" }, { "kty": "EC" }] }).to_string();
        assert_eq!(key_set(&answer(200, &good)), Ok(vec![MODULUS.to_vec()]));
        for (status, body, why) in [
            (404, good.as_str(), "answers 404"),
            (200, "<html>", "is not JSON"),
            (200, "{}", "is not a key set"),
            (200, r#"{"keys":[{"kty":"EC"}]}"#, "has no RSA key"),
        ] {
            assert!(key_set(&answer(status, body)).unwrap_err().contains(why), "{body}");
        }
    }

    #[test]
    fn keys_of_another_issuer_fail_and_an_issuer_that_publishes_none_is_a_warning() {
        let der = [vec![0x30, 0x82], MODULUS.to_vec(), vec![2, 3]].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\\n{}\\n-----END PUBLIC KEY-----", STANDARD.encode(&der));
        let own = ders(&pem);
        assert_eq!(own, [der]);
        let ours = |key: &[u8]| contains(&own[0], key);
        assert_eq!(same("https://i", Ok(&[MODULUS.to_vec()]), ours).state, State::Ok);
        let other = same("https://i", Ok(&[vec![8; 40]]), ours);
        assert!(other.state == State::Failed && other.text.contains("not those of https://i"));
        assert_eq!(same("https://i", Err(&"answers 404".to_owned()), ours).state, State::Warning);
    }
}
