//! `consigne token`: prints session tokens of the laptop's issuer, to try the API with.

use clap::Args;
use consigne_core::{Plan, Timestamp, UserId};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use crate::report::{Outcome, Report};
use crate::stack_env::{StackEnv, Which};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consigne token --user user_ann --plan pro
  consigne token --user user_bob --role expert --ttl 60
  consigne token --user user_ann --second-factor 0")]
pub(crate) struct Options {
    /// Id of the user in the token: `user_` and letters or digits.
    #[arg(long)]
    user: String,
    /// Subscription: free, basic, pro, premium or enterprise.
    #[arg(long, default_value = "free")]
    plan: String,
    /// Role: user, expert or admin.
    #[arg(long, default_value = "user")]
    role: String,
    /// Seconds for which the token is valid. Negative for an expired one.
    #[arg(long, default_value_t = 3600, allow_negative_numbers = true)]
    ttl: i64,
    /// E-mail address of the user.
    #[arg(long)]
    email: Option<String>,
    /// Language of the user, such as `fr`.
    #[arg(long)]
    locale: Option<String>,
    /// Minutes since the user verified a second factor, as the claim `fva`. Without it, the token shows no second factor.
    #[arg(long, value_name = "MINUTES")]
    second_factor: Option<u32>,
    /// Origin of the page that sends the token. Without it, the first one that the stack accepts.
    #[arg(long)]
    azp: Option<String>,
}

pub(crate) fn run(which: &Which, options: &Options) -> Outcome {
    if UserId::parse(&options.user).is_none() {
        return Err(format!("--user {} must be `user_` and letters or digits.", options.user));
    }
    if Plan::ALL.iter().all(|plan| plan.name() != options.plan) {
        return Err(format!("--plan {} must be free, basic, pro, premium or enterprise.", options.plan));
    }
    if !["user", "expert", "admin"].contains(&options.role.as_str()) {
        return Err(format!("--role {} must be user, expert or admin.", options.role));
    }
    let stack = StackEnv::of_laptop(which)?;
    let issuer = stack.get("JWT_ISSUER")?;
    accepts(&issuer, &stack.get("TRUSTED_ISSUER")?)?;
    let path = stack.get("JWT_KEY_FILE")?;
    let pem = std::fs::read(&path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    let key = EncodingKey::from_rsa_pem(&pem).map_err(|error| format!("{path} is not an RSA key: {error}"))?;
    let now = consigne_runtime::clock::now().as_secs();
    let azp = options.azp.clone().map_or_else(|| stack.get("JWT_AZP"), Ok)?;
    let mut claims = json!({
        "sub": options.user, "iss": issuer, "azp": azp,
        "iat": now, "nbf": now, "exp": now + options.ttl, "sid": "sess_laptop",
        "public_metadata": { "subscription": options.plan, "role": options.role },
    });
    if let Some(email) = &options.email {
        claims["email"] = json!(email);
        claims["email_verified"] = json!(true);
    }
    if let Some(locale) = &options.locale {
        claims["locale"] = json!(locale);
    }
    if let Some(minutes) = options.second_factor {
        claims["fva"] = json!([minutes, minutes]);
    }
    let header = Header { kid: Some(stack.get("JWT_KID")?), ..Header::new(Algorithm::RS256) };
    let token = jsonwebtoken::encode(&header, &claims, &key);
    let token = token.map_err(|error| format!("The token cannot be signed: {error}"))?;
    let expires_at = Timestamp::from_secs(now + options.ttl);
    Ok(Report::new(token.as_str(), json!({ "token": token, "expires_at": expires_at })))
}

/// Checks that the stack accepts the tokens of the laptop's `own` issuer.
///
/// # Errors
/// If it was started with the issuer of a Clerk application instead. The message says where its tokens are.
fn accepts(own: &str, trusted: &str) -> Result<(), String> {
    if own == trusted {
        return Ok(());
    }
    Err(format!(
        "No token made here would be accepted: the stack was started with CLERK_ISSUER and takes only the session tokens of \
         {trusted}. Take one from the browser: sign in to your application and run `await Clerk.session.getToken()` in the \
         console. `make up` without CLERK_ISSUER goes back to tokens made here."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_with_a_clerk_issuer_sends_the_operator_to_the_browser() {
        assert_eq!(accepts("https://own.example", "https://own.example"), Ok(()));
        let refusal = accepts("https://own.example", "https://app.clerk.accounts.dev").unwrap_err();
        for part in
            ["https://app.clerk.accounts.dev", "await Clerk.session.getToken()", "`make up` without CLERK_ISSUER"]
        {
            assert!(refusal.contains(part), "{refusal}");
        }
    }
}
