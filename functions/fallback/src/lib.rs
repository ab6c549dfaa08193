//! Answers requests that match no route: 404 for an unknown path, 405 with `Allow` when only the method is wrong.

use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Pending, Request, Start, Wire, Wiring};

include!(concat!(env!("OUT_DIR"), "/routes.rs"));

/// The function. It has no dependencies.
pub struct Function;

impl<A: Adapters> Wire<A> for Function {
    fn wire(_: &Start<A>) -> Wiring<Self> {
        Ok(Pending::ready(Self))
    }
}

impl Named for Function {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
}

impl HttpFunction for Function {
    /// Refuses a request that matched no route.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let allowed = methods(request.path());
        // API Gateway did not route this path although the method is allowed, so it does not match a route exactly.
        if allowed.is_empty() || allowed.contains(&request.method().as_str()) {
            return Err(Fault::not_found("Route"));
        }
        let allow = allowed.join(", ");
        Err(Fault::new(Code::MethodNotAllowed, format!("{} is not allowed here; use {allow}", request.method()))
            .header("allow", allow))
    }

    fn operations() -> Vec<Operation> {
        Vec::new()
    }
}

/// Returns the methods that a path can be called with.
fn methods(path: &str) -> Vec<&'static str> {
    let mut methods: Vec<_> =
        ROUTES.iter().filter(|(_, pattern)| matches(pattern, path)).map(|(method, _)| *method).collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

/// Returns whether a path matches a pattern: `{name}` stands for one segment, `{name+}` at the end for the rest.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut segments) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) => return true,
            (Some(rest), Some(first)) if rest.ends_with("+}") => return !first.is_empty(),
            (Some(name), Some(segment)) if name.starts_with('{') && !segment.is_empty() => {}
            (Some(literal), Some(segment)) if literal == segment => {}
            _ => return false,
        }
    }
}
