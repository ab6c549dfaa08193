//! The start of a function: from its environment to its dependencies.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use consigne_auth::{
    CursorSeal, EndpointSecrets, Fetch, GatewaySeal, InvitationTokens, KeyFinder, KeyMint, KeyPrefix, KeySource,
    Peppers, Refreshed, SecondFactorRule, Secret, ServiceTokens, SessionPolicy, SessionVerifier, StripeSecrets,
    UnsubscribeSeal, WebhookSecrets,
};
use consigne_core::files::{PublicAddresses, Scanning, TICKET_MAX, TICKET_MIN};
use consigne_core::gateway::Upstreams;
use consigne_core::mail::Sender;
use consigne_core::{Application, EmailAddress, Timestamp};
use consigne_messaging::mail::MailTheme;
use consigne_outgoing::fetched_keys;
use consigne_storage::{CdnKeys, CdnSigner, Presigner};

use crate::adapters::{Adapters, AwsAdapters, ReadSecret as _};
use crate::clock;
use crate::http::Paging;
use crate::settings::{self, EnvVars, Setting, SettingError};
use crate::tickets::{Cdn, Tickets};
use crate::wire::Pending;

/// What `--settings` takes for a secret.
const SECRET_EXAMPLE: &str = "0123456789abcdef0123456789abcdef";
/// Longest time for which orders are kept, if there is an end to it, in days.
const ORDER_RETENTION_DAYS_MAX: u64 = 3_650;

/// Creates the dependencies of functions, with one method for each. A method fails if a setting that it reads is missing
/// or unusable. What must be read from the network is returned as [`Pending`].
#[derive(Debug)]
pub struct Start<A = AwsAdapters> {
    environment: EnvVars,
    adapters: A,
}

/// Why a function cannot start.
#[derive(Debug)]
pub struct StartError(Box<dyn Error + Send + Sync>);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Error for StartError {}

impl From<SettingError> for StartError {
    fn from(error: SettingError) -> Self {
        Self(error.into())
    }
}

impl<A: Adapters> Start<A> {
    /// Starts from an environment, with adapters.
    pub fn with(environment: EnvVars, adapters: A) -> Self {
        Self { environment, adapters }
    }

    /// Returns the environment from which settings are read.
    pub fn environment(&self) -> &EnvVars {
        &self.environment
    }

    /// Returns the adapters.
    pub fn adapters(&self) -> &A {
        &self.adapters
    }

    /// Creates the table's adapter.
    pub fn table(&self) -> Result<A::Table, StartError> {
        A::table(self)
    }

    /// Creates the bucket's adapter.
    pub fn bucket(&self) -> Result<A::Bucket, StartError> {
        A::bucket(self)
    }

    /// Creates the adapter of the bucket to which S3 replicates. Returns `None` if it replicates to none.
    pub fn replica(&self) -> Result<Option<A::Bucket>, StartError> {
        let region = self.environment.optional(&settings::REPLICA_REGION);
        Ok(self.environment.optional(&settings::REPLICA_BUCKET).map(|name| A::replica(self, name, region)))
    }

    /// Creates the signer of URLs for the bucket.
    pub fn presigner(&self) -> Result<Presigner, StartError> {
        A::presigner(self)
    }

    /// Creates the signer of tickets. Where there is a CDN, it reads the keys with which URLs of the CDN are signed.
    pub fn tickets(&self) -> Result<Pending<Tickets>, StartError> {
        let bucket = self.presigner()?;
        let (domain, keys) =
            (self.environment.optional(&settings::CDN_DOMAIN), self.environment.optional(&settings::CDN_KEYS_ARN));
        let Some(domain) = domain.filter(|_| !self.environment.is_describing()) else {
            return Ok(Pending::ready(Tickets::new(bucket, None)));
        };
        if keys.is_none() {
            return Err(SettingError::new(&settings::CDN_KEYS_ARN, "is missing beside CDN_DOMAIN").into());
        }
        // No example, because no settings are listed here.
        let keys = self.refreshed(&settings::CDN_KEYS_ARN, "", |text| Ok(CdnKeys::parse(text)?))?;
        Ok(keys.map(move |keys| Tickets::new(bucket, Some(Cdn { signer: CdnSigner::new(&domain), keys }))))
    }

    /// Returns how long a ticket is valid when the request does not say: 1 second to [`TICKET_MAX`].
    pub fn ticket_lifetime(&self) -> Result<Duration, StartError> {
        let text = self.environment.get(&settings::TICKET_SECONDS)?;
        let seconds = if self.environment.is_describing() { Ok(1) } else { text.parse() };
        let lifetime = seconds.map(Duration::from_secs).ok().filter(|it| (TICKET_MIN..=TICKET_MAX).contains(it));
        Ok(lifetime.ok_or_else(|| SettingError::new(&settings::TICKET_SECONDS, "must be 1 to 3600"))?)
    }

    /// Returns after how long orders are erased, from their status on; `None` if they are kept.
    pub fn order_retention(&self) -> Result<Option<Duration>, StartError> {
        let text = self.environment.get(&settings::ORDER_RETENTION_DAYS)?;
        let days = if self.environment.is_describing() { Ok(0) } else { text.parse() };
        let days = days.ok().filter(|days| *days <= ORDER_RETENTION_DAYS_MAX);
        let days = days.ok_or_else(|| SettingError::new(&settings::ORDER_RETENTION_DAYS, "must be 0 to 3650"))?;
        Ok((days > 0).then(|| Duration::from_hours(24 * days)))
    }

    /// Returns which files wait for a malware scan, and what happens to those that could not be scanned.
    pub fn scanning(&self) -> Result<Scanning, StartError> {
        let prefixes = self.environment.optional(&settings::SCANNED_PREFIXES).unwrap_or_default();
        let unscanned = self.environment.get(&settings::UNSCANNED_FILES)?;
        let unscanned = if self.environment.is_describing() { "held" } else { &unscanned };
        let bad = || SettingError::new(&settings::UNSCANNED_FILES, "must be held or released");
        Scanning::parse(&prefixes, unscanned).ok_or_else(|| bad().into())
    }

    /// Creates the event bus's adapter.
    pub fn bus(&self) -> Result<A::Bus, StartError> {
        A::bus(self)
    }

    /// Creates the adapter of the CDN's cache.
    pub fn cdn(&self) -> Result<A::Cdn, StartError> {
        A::cdn(self)
    }

    /// Returns the addresses of published files. Where there is no CDN, there are none.
    pub fn public_addresses(&self) -> Result<PublicAddresses, StartError> {
        let domain = self.environment.optional(&settings::CDN_DOMAIN);
        Ok(PublicAddresses::new(domain.map(|domain| CdnSigner::new(&domain).base().to_owned())))
    }

    /// Creates a queue's adapter.
    pub fn queue(&self, url: &'static Setting) -> Result<A::Queue, StartError> {
        A::queue(self, url)
    }

    /// Creates the mail service's adapter. Returns `None` if this installation sends no mail.
    pub fn mailer(&self) -> Result<Option<A::Mailer>, StartError> {
        let configuration_set = self.environment.get(&settings::MAIL_CONFIGURATION_SET)?;
        Ok(self.mail_sender()?.map(|sender| A::mailer(self, sender, configuration_set)))
    }

    /// Creates the payment provider's adapter.
    pub fn payments(&self) -> Result<Pending<A::Payments>, StartError> {
        A::payments(self)
    }

    /// Creates the language model's adapter.
    pub fn language_model(&self) -> Result<Pending<A::Model>, StartError> {
        A::model(self)
    }

    /// Returns the clock, with which a function also waits.
    pub fn clock(&self) -> Result<A::Clock, StartError> {
        Ok(A::clock(self))
    }

    /// Returns a setting that may be absent.
    pub fn optional(&self, setting: &'static Setting) -> Result<Option<String>, StartError> {
        Ok(self.environment.optional(setting))
    }

    /// Returns whether the reconciliation removes what nothing refers to.
    pub fn reconcile_repairs(&self) -> Result<bool, StartError> {
        Ok(self.environment.is_on(&settings::RECONCILE_REPAIR))
    }

    /// Returns whether endpoints may have private addresses.
    pub fn private_endpoints(&self) -> Result<bool, StartError> {
        Ok(self.environment.is_on(&settings::PRIVATE_ENDPOINTS))
    }

    /// Creates the adapter that calls customers' endpoints.
    pub fn courier(&self) -> Result<A::Outgoing, StartError> {
        Ok(A::outgoing(self, self.private_endpoints()?))
    }

    /// Returns the addresses of the services behind the gateway.
    pub fn upstreams(&self) -> Result<Upstreams, StartError> {
        let private = self.environment.is_on(&settings::PRIVATE_UPSTREAMS);
        let text = self.environment.optional(&settings::UPSTREAMS).filter(|_| !self.environment.is_describing());
        let upstreams = Upstreams::parse(&text.unwrap_or_default(), private);
        Ok(upstreams.map_err(|error| SettingError::new(&settings::UPSTREAMS, error.to_string()))?)
    }

    /// Creates the client that calls services behind the gateway.
    pub fn upstream(&self) -> Result<A::Outgoing, StartError> {
        Ok(A::outgoing(self, self.environment.is_on(&settings::PRIVATE_UPSTREAMS)))
    }

    /// Creates the common layout of all mails.
    pub fn theme(&self) -> Result<MailTheme, StartError> {
        let application = Application::at(&self.environment.get(&settings::APPLICATION_URL)?);
        let brand = self.mail_sender()?.and_then(|sender| sender.name);
        Ok(MailTheme { brand: brand.unwrap_or_else(|| "Consigne".to_owned()), application })
    }

    /// Returns the address that gets mails about new orders. Returns `None` if nobody does.
    pub fn orders_email(&self) -> Result<Option<EmailAddress>, StartError> {
        let text = self.environment.optional(&settings::ORDERS_EMAIL).filter(|_| !self.environment.is_describing());
        let bad = || SettingError::new(&settings::ORDERS_EMAIL, "must be an e-mail address").into();
        text.map(|text| EmailAddress::parse(&text).ok_or_else(bad)).transpose()
    }

    fn mail_sender(&self) -> Result<Option<Sender>, StartError> {
        let Some(text) = self.environment.optional(&settings::MAIL_FROM) else { return Ok(None) };
        let bad = || SettingError::new(&settings::MAIL_FROM, "must be an address or `Name <address>`");
        let text = if self.environment.is_describing() { "Consigne <no-reply@example.com>" } else { &text };
        Sender::parse(text).map(Some).ok_or_else(|| bad().into())
    }

    /// Reads the secret that seals links to unsubscribe.
    pub fn unsubscribe_seal(&self) -> Result<Pending<UnsubscribeSeal>, StartError> {
        Ok(self.secret(&settings::UNSUBSCRIBE_SECRET_ARN)?.map(UnsubscribeSeal::new))
    }

    /// Returns the public URL of the API, without a slash at the end.
    pub fn public_url(&self) -> Result<String, StartError> {
        Ok(self.environment.get(&settings::PUBLIC_URL)?.trim_end_matches('/').to_owned())
    }

    /// Creates the verifier of session tokens.
    pub fn session_verifier(&self) -> Result<SessionVerifier, StartError> {
        let issuer = self.environment.get(&settings::CLERK_ISSUER)?;
        let parties = self.environment.get(&settings::AUTHORIZED_PARTIES)?;
        let authorized_parties = parties.split(',').map(|party| party.trim().to_owned()).collect();
        let most = self.environment.get(&settings::MAX_TOKEN_SECONDS)?;
        let most = if self.environment.is_describing() { "300" } else { &most };
        let max_token_seconds =
            most.parse().map_err(|_| SettingError::new(&settings::MAX_TOKEN_SECONDS, "is not a number of seconds"))?;
        let keys = self.session_keys()?;
        Ok(SessionVerifier::new(SessionPolicy { issuer, authorized_parties, max_token_seconds }, keys))
    }

    /// Returns whether changes of production keys need a second factor.
    pub fn second_factor_rule(&self) -> Result<SecondFactorRule, StartError> {
        Ok(SecondFactorRule::new(self.environment.is_on(&settings::REQUIRE_SECOND_FACTOR)))
    }

    /// Creates the verifier of the routes of files: of session tokens, and of services that act for a user. Tokens of
    /// services are read when the first service calls, so nobody else waits for them.
    pub fn file_users(&self) -> Result<SessionVerifier, StartError> {
        Ok(self.session_verifier()?.with_services(self.service_tokens_on_demand()?))
    }

    fn session_keys(&self) -> Result<KeySource, StartError> {
        let pem = self.environment.optional(&settings::CLERK_JWT_KEY);
        let url = self.environment.optional(&settings::CLERK_JWKS_URL);
        match (pem, url) {
            (Some(pem), _) if !self.environment.is_describing() => KeySource::from_pem(&pem)
                .map_err(|error| SettingError::new(&settings::CLERK_JWT_KEY, error.to_string()).into()),
            (_, Some(url)) => Ok(fetched_keys(url)),
            _ => Err(SettingError::new(&settings::CLERK_JWKS_URL, "is missing, and so is CLERK_JWT_KEY").into()),
        }
    }

    /// Creates the pager of lists, from the secret that seals cursors.
    pub fn paging(&self) -> Result<Pending<Paging>, StartError> {
        Ok(self.secret(&settings::CURSOR_SECRET_ARN)?.map(|secret| Paging::new(CursorSeal::new(&secret))))
    }

    /// Reads the secret from which tokens of invitations are derived.
    pub fn invitation_tokens(&self) -> Result<Pending<InvitationTokens>, StartError> {
        Ok(self.secret(&settings::INVITATION_SECRET_ARN)?.map(InvitationTokens::new))
    }

    /// Reads the secret from which secrets of customers' endpoints are derived.
    pub fn endpoint_secrets(&self) -> Result<Pending<EndpointSecrets>, StartError> {
        Ok(self.secret(&settings::ENDPOINT_SECRET_ARN)?.map(EndpointSecrets::new))
    }

    /// Reads the secret with which the gateway signs who calls a service.
    pub fn gateway_seal(&self) -> Result<Pending<Refreshed<GatewaySeal>>, StartError> {
        self.refreshed(&settings::GATEWAY_SECRET_ARN, SECRET_EXAMPLE, |text| {
            Secret::new(text).map(GatewaySeal::new).ok_or_else(|| "it is short or a placeholder".into())
        })
    }

    /// Returns the word with which API keys begin.
    fn key_prefix(&self) -> Result<KeyPrefix, StartError> {
        let word = self.environment.get(&settings::KEY_PREFIX)?;
        let bad = || SettingError::new(&settings::KEY_PREFIX, "must be 2 to 12 lower-case letters and digits");
        KeyPrefix::parse(&word).ok_or_else(|| bad().into())
    }

    /// Reads the peppers of API keys.
    fn peppers(&self) -> Result<Pending<Refreshed<Peppers>>, StartError> {
        let example = r#"{"current": 1, "1": "0123456789abcdef0123456789abcdef"}"#;
        self.refreshed(&settings::PEPPER_SECRET_ARN, example, |text| Ok(Peppers::parse(text)?))
    }

    /// Reads the tokens of services.
    pub fn service_tokens(&self) -> Result<Pending<Refreshed<ServiceTokens>>, StartError> {
        self.refreshed(&settings::SERVICE_TOKENS_ARN, "{}", |text| Ok(ServiceTokens::parse(text)?))
    }

    /// Returns the tokens of services, which are read at their first use and not at the start. For functions that mostly
    /// answer without them.
    pub fn service_tokens_on_demand(&self) -> Result<Refreshed<ServiceTokens>, StartError> {
        let fetch = self.fetch(&settings::SERVICE_TOKENS_ARN, |text| Ok(ServiceTokens::parse(text)?))?;
        Ok(Refreshed::on_demand(ServiceTokens::none(), fetch))
    }

    /// Reads the secrets with which a sender signs its webhooks.
    pub fn webhook_secrets(&self, arn: &'static Setting) -> Result<Pending<Refreshed<WebhookSecrets>>, StartError> {
        let example = r#"{"current": "whsec_0123456789abcdef0123456789abcdef"}"#;
        self.refreshed(arn, example, |text| Ok(WebhookSecrets::parse(text)?))
    }

    /// Reads the secrets with which Stripe signs its webhooks.
    pub fn stripe_secrets(&self) -> Result<Pending<Refreshed<StripeSecrets>>, StartError> {
        let example = r#"{"current": "whsec_0123456789abcdef0123456789abcdef"}"#;
        self.refreshed(&settings::STRIPE_SECRETS_ARN, example, |text| Ok(StripeSecrets::parse(text)?))
    }

    /// Creates the generator of API keys' texts.
    pub fn key_mint(&self) -> Result<Pending<KeyMint>, StartError> {
        let prefix = self.key_prefix()?;
        Ok(self.peppers()?.map(|peppers| KeyMint::new(prefix, peppers)))
    }

    /// Creates the finder of API keys by their texts.
    pub fn key_finder(&self) -> Result<Pending<KeyFinder>, StartError> {
        let (prefix, until) = (self.key_prefix()?, self.legacy_keys_until()?);
        Ok(self.peppers()?.map(move |peppers| KeyFinder::new(prefix, peppers, until)))
    }

    /// Returns when keys of an older installation stop working. `None` if none are accepted.
    pub fn legacy_keys_until(&self) -> Result<Option<Timestamp>, StartError> {
        let end = self.environment.optional(&settings::LEGACY_KEYS_UNTIL);
        let bad = || SettingError::new(&settings::LEGACY_KEYS_UNTIL, "must be a time such as 2027-01-31T00:00:00Z");
        let end = end.filter(|_| !self.environment.is_describing());
        end.map(|end| Timestamp::parse(&end).ok_or_else(|| bad().into())).transpose()
    }

    /// Reads a secret that may change during the life of this execution environment, and parses it with `parse`. With
    /// `--settings` it parses `example` instead.
    pub(crate) fn refreshed<T: Send + Sync + 'static>(
        &self,
        arn: &'static Setting,
        example: &'static str,
        parse: fn(&str) -> Result<T, Box<dyn Error + Send + Sync>>,
    ) -> Result<Pending<Refreshed<T>>, StartError> {
        let (fetch, describing) = (self.fetch(arn, parse)?, self.environment.is_describing());
        Ok(Pending::new(async move {
            let value = if describing { parse(example) } else { fetch().await };
            let unusable = |error| SettingError::new(arn, format!("names an unusable secret: {error}"));
            Ok(Refreshed::new(value.map_err(unusable)?, clock::now(), fetch))
        }))
    }

    /// Returns how to read a secret and parse it with `parse`.
    fn fetch<T: Send + Sync + 'static>(
        &self,
        arn: &'static Setting,
        parse: fn(&str) -> Result<T, Box<dyn Error + Send + Sync>>,
    ) -> Result<Fetch<T>, StartError> {
        let (id, secrets) = (self.environment.get(arn)?, A::secrets(self));
        Ok(Box::new(move || {
            let (secrets, id) = (secrets.clone(), id.clone());
            Box::pin(async move { parse(&secrets.read_secret(id).await?) })
        }))
    }

    /// Reads a secret, once.
    fn secret(&self, arn: &'static Setting) -> Result<Pending<Secret>, StartError> {
        let (id, secrets, describing) =
            (self.environment.get(arn)?, A::secrets(self), self.environment.is_describing());
        Ok(Pending::new(async move {
            let text = if describing {
                SECRET_EXAMPLE.to_owned()
            } else {
                let unreadable = |error| SettingError::new(arn, format!("cannot be read: {error}"));
                secrets.read_secret(id).await.map_err(unreadable)?
            };
            let unusable = || SettingError::new(arn, "names a secret that is short or a placeholder");
            Secret::new(text).ok_or_else(|| unusable().into())
        }))
    }
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
