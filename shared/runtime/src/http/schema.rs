//! What a route takes and gives, as data: the source of the `OpenAPI` document.

use consigne_core::Code;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes the schema of one type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A query parameter of a route, or the parameter its path ends in.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// What it means, its unit, its default.
    pub description: &'static str,
    /// Whether a request without it is refused.
    pub required: bool,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthScheme {
    /// Everyone.
    Anyone,
    /// A signed-in person.
    User,
    /// A server with a service token.
    Service,
    /// A server that signs what it sends.
    Sender,
    /// Stripe, which signs in a way of its own.
    Stripe,
    /// Whoever holds an API key; it is a service behind the gateway that takes the body, and answers.
    Key,
}

/// One route of one function.
#[derive(Clone, Debug)]
pub struct Operation {
    /// As API Gateway names it: `POST /api/files/uploads`.
    pub route: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Who may call.
    pub caller: AuthScheme,
    /// Query and path parameters.
    pub parameters: Vec<Parameter>,
    /// Shape of the JSON body, if there is one.
    pub body: Option<SchemaOf>,
    /// Whether `Idempotency-Key` is honoured.
    pub idempotent: bool,
    /// Status of success.
    pub status: u16,
    /// Shape of the answer; inside the envelope, when there is one.
    pub answer: SchemaOf,
    /// Whether the answer comes in the envelope.
    pub envelope: bool,
    /// Whether the answer is a page for people.
    pub page: bool,
    /// Refusals beyond those every route has.
    pub refusals: Vec<Code>,
}

impl Operation {
    /// Describes a route that answers 200 with `A` at top level, to a signed-in person.
    pub fn new<A: JsonSchema>(route: &'static str, summary: &'static str) -> Self {
        Self {
            route,
            summary,
            caller: AuthScheme::User,
            parameters: Vec::new(),
            body: None,
            idempotent: false,
            status: 200,
            answer: |generator| generator.subschema_for::<A>(),
            envelope: false,
            page: false,
            refusals: Vec::new(),
        }
    }

    /// Says that the answer comes in the envelope.
    #[must_use]
    pub fn in_envelope(self) -> Self {
        Self { envelope: true, ..self }
    }

    /// Says that the answer is a page for people.
    #[must_use]
    pub fn as_page(self) -> Self {
        Self { page: true, ..self }
    }

    /// Says that holders of API keys call a service through it.
    #[must_use]
    pub fn for_keys(self) -> Self {
        Self { caller: AuthScheme::Key, ..self }
    }

    /// Says that anyone may call.
    #[must_use]
    pub fn for_anyone(self) -> Self {
        Self { caller: AuthScheme::Anyone, ..self }
    }

    /// Says that servers call it, with a service token.
    #[must_use]
    pub fn for_services(self) -> Self {
        Self { caller: AuthScheme::Service, ..self }
    }

    /// Says that servers send it signed, as Standard Webhooks has it.
    #[must_use]
    pub fn for_senders(self) -> Self {
        Self { caller: AuthScheme::Sender, ..self }
    }

    /// Says that Stripe sends it, signed in its own way.
    #[must_use]
    pub fn for_stripe(self) -> Self {
        Self { caller: AuthScheme::Stripe, ..self }
    }

    /// Says that it is paged.
    #[must_use]
    pub fn paged(self) -> Self {
        self.parameter("limit", "Entries a page, 1 to 1000; 100 when absent", false)
            .parameter("cursor", "next_cursor of the page before", false)
            .refuses(&[Code::InvalidCursor])
    }

    /// Says that it concerns one organisation, of which the caller must be a member in a role that may call it.
    #[must_use]
    pub fn in_org(self) -> Self {
        self.in_envelope()
            .parameter("org", "Id of the organisation", true)
            .refuses(&[Code::NotFound, Code::RoleRequired])
    }

    /// Says that it honours `Idempotency-Key`.
    #[must_use]
    pub fn idempotent(self) -> Self {
        Self { idempotent: true, ..self }.refuses(&[Code::IdempotencyMismatch])
    }

    /// Says that the request has a JSON body of shape `B`.
    #[must_use]
    pub fn takes<B: JsonSchema>(self) -> Self {
        Self { body: Some(schemars::SchemaGenerator::subschema_for::<B>), ..self }
    }

    /// Says that success is 201, and that a retry with the same `Idempotency-Key` gets the same answer.
    #[must_use]
    pub fn creates(self) -> Self {
        Self { status: 201, idempotent: true, ..self }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn parameter(mut self, name: &'static str, description: &'static str, required: bool) -> Self {
        self.parameters.push(Parameter { name, description, required });
        self
    }

    /// Adds refusals.
    #[must_use]
    pub fn refuses(mut self, codes: &[Code]) -> Self {
        self.refusals.extend_from_slice(codes);
        self
    }
}
