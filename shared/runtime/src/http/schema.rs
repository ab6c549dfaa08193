//! Descriptions of routes as data, from which the `OpenAPI` document is generated.

use consigne_core::{Code, Fault};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::paging::{LIMIT_DEFAULT, LIMIT_MAX};

/// Generates the schema of one type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Parses a body as a function does. Returns how it is refused, or `None` if it is accepted.
pub type RefusalOf = fn(&[u8]) -> Option<Fault>;

/// What is around the answer of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Nothing: it is at top level.
    Plain,
    /// An envelope.
    Envelope,
    /// An envelope with the `metadata` of a list.
    List,
    /// It is an HTML page for people.
    Page,
}

/// A query or path parameter of a route.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Name of the parameter.
    pub name: &'static str,
    /// Its meaning, unit and default.
    pub description: &'static str,
    /// Whether a request without it is refused.
    pub required: bool,
    /// JSON Schema of the values that are accepted.
    pub schema: Value,
}

/// Who may call a route, and how they authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthScheme {
    /// Everybody; no authentication is needed.
    Anyone,
    /// A signed-in person, with a session token.
    User,
    /// A server with a service token.
    Service,
    /// A server that signs its requests as webhooks.
    Sender,
    /// Stripe, whose signatures have a format of their own.
    Stripe,
    /// The holder of an API key, who calls a service behind the gateway. Body and answer are the service's own.
    Key,
}

/// One route of one function.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The route as API Gateway names it: `POST /api/files/uploads`.
    pub route: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Who may call it.
    pub caller: AuthScheme,
    /// Query and path parameters.
    pub parameters: Vec<Parameter>,
    /// Shape of the JSON body, if there is one.
    pub body: Option<SchemaOf>,
    /// Parses a JSON body as the function does, and returns how it is refused.
    pub refusal: Option<RefusalOf>,
    /// Whether `Idempotency-Key` is supported.
    pub idempotent: bool,
    /// Whether the answer has the revision of its subject as `ETag`, and a write takes `If-Match`.
    pub tagged: bool,
    /// Status of a success.
    pub status: u16,
    /// Shape of the answer; inside the envelope, if there is one.
    pub answer: SchemaOf,
    /// What is around the answer.
    pub form: Form,
    /// Error codes in addition to those of every route.
    pub refusals: Vec<Code>,
}

impl Operation {
    /// Describes a route for signed-in persons that answers 200 with an `A` at top level.
    pub fn new<A: JsonSchema>(route: &'static str, summary: &'static str) -> Self {
        Self {
            route,
            summary,
            caller: AuthScheme::User,
            parameters: Vec::new(),
            body: None,
            refusal: None,
            idempotent: false,
            tagged: false,
            status: 200,
            answer: |generator| generator.subschema_for::<A>(),
            form: Form::Plain,
            refusals: Vec::new(),
        }
    }

    /// Puts the answer in an envelope.
    #[must_use]
    pub fn in_envelope(self) -> Self {
        let form = if self.form == Form::List { Form::List } else { Form::Envelope };
        Self { form, ..self }
    }

    /// Makes the answer an HTML page for people.
    #[must_use]
    pub fn as_page(self) -> Self {
        Self { form: Form::Page, ..self }
    }

    /// Makes it a route by which holders of API keys call a service.
    #[must_use]
    pub fn for_keys(self) -> Self {
        Self { caller: AuthScheme::Key, ..self }
    }

    /// Makes it a route for everybody.
    #[must_use]
    pub fn for_anyone(self) -> Self {
        Self { caller: AuthScheme::Anyone, ..self }
    }

    /// Makes it a route for servers with a service token.
    #[must_use]
    pub fn for_services(self) -> Self {
        Self { caller: AuthScheme::Service, ..self }
    }

    /// Makes it a route for webhooks that are signed according to Standard Webhooks.
    #[must_use]
    pub fn for_senders(self) -> Self {
        Self { caller: AuthScheme::Sender, ..self }
    }

    /// Makes it a route for Stripe's webhooks.
    #[must_use]
    pub fn for_stripe(self) -> Self {
        Self { caller: AuthScheme::Stripe, ..self }
    }

    /// Makes it a paged list in an envelope.
    #[must_use]
    pub fn paged(self) -> Self {
        self.listed().by_cursor("`next_cursor` of the previous page")
    }

    /// Adds the `metadata` of a list to the envelope: the cursor of the next page, and the total.
    #[must_use]
    pub fn listed(self) -> Self {
        Self { form: Form::List, ..self }
    }

    /// Adds the parameters of pages. `cursor` describes where a client finds the cursor.
    #[must_use]
    pub fn by_cursor(self, cursor: &'static str) -> Self {
        self.by_cursor_or(LIMIT_DEFAULT, cursor)
    }

    /// Like [`Self::by_cursor`], with `default` entries on a page when the request does not say how many.
    #[must_use]
    pub fn by_cursor_or(self, default: u32, cursor: &'static str) -> Self {
        self.parameter("limit", "Entries per page", false)
            .accepting(json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": default }))
            .parameter("cursor", cursor, false)
            .refuses(&[Code::InvalidCursor])
    }

    /// Makes it a route about one organisation. The caller must be a member whose role allows the route.
    #[must_use]
    pub fn in_org(self) -> Self {
        self.in_envelope()
            .parameter("org", "Id of the organisation", true)
            .refuses(&[Code::NotFound, Code::RoleRequired])
    }

    /// Makes it support `Idempotency-Key`.
    #[must_use]
    pub fn idempotent(self) -> Self {
        Self { idempotent: true, ..self }.refuses(&[Code::IdempotencyMismatch])
    }

    /// Gives the answer an `ETag`, which is the revision of its subject. A write may then have `If-Match`.
    #[must_use]
    pub fn tagged(self) -> Self {
        let writes = !self.route.starts_with("GET ");
        let operation = Self { tagged: true, ..self };
        if writes { operation.refuses(&[Code::PreconditionFailed]) } else { operation }
    }

    /// Gives the request a JSON body of shape `B`.
    #[must_use]
    pub fn takes<B: JsonSchema + DeserializeOwned>(self) -> Self {
        let refusal = |body: &[u8]| super::json_body::read::<B>(body).err();
        Self { body: Some(schemars::SchemaGenerator::subschema_for::<B>), refusal: Some(refusal), ..self }
    }

    /// Makes a success 201. A retry with the same `Idempotency-Key` gets the same answer.
    #[must_use]
    pub fn creates(self) -> Self {
        Self { status: 201, idempotent: true, ..self }
    }

    /// Makes a success 202: the request is recorded, and its work follows.
    #[must_use]
    pub fn accepted(self) -> Self {
        Self { status: 202, ..self }
    }

    /// Makes a success 302: `Location` says where to go on.
    #[must_use]
    pub fn redirects(self) -> Self {
        Self { status: 302, ..self }
    }

    /// Adds a query or path parameter.
    #[must_use]
    pub fn parameter(mut self, name: &'static str, description: &'static str, required: bool) -> Self {
        self.parameters.push(Parameter { name, description, required, schema: json!({ "type": "string" }) });
        self
    }

    /// Restricts the parameter that was added last to values of a JSON Schema.
    #[must_use]
    pub fn accepting(mut self, schema: Value) -> Self {
        if let Some(last) = self.parameters.last_mut() {
            last.schema = schema;
        }
        self
    }

    /// Restricts the parameter that was added last to some words.
    #[must_use]
    pub fn one_of(self, words: &[&str]) -> Self {
        self.accepting(json!({ "enum": words }))
    }

    /// Adds error codes that the route can answer.
    #[must_use]
    pub fn refuses(mut self, codes: &[Code]) -> Self {
        self.refusals.extend_from_slice(codes);
        self
    }
}
