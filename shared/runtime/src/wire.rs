//! Creates a function in two phases: first the parts that need no answer from the network, then the others.
//!
//! A connection begins to open as soon as its adapter is created, and reading secrets takes tens of milliseconds. So all
//! adapters are created before the first secret is waited for, and their connections open meanwhile.
//!
//! The types enforce that. [`Wire::wire`] is not `async`, so it cannot wait; it gets secrets as [`Pending`]. The future that
//! it returns waits for them, but cannot borrow the start, so it cannot make another adapter.
//! [`function!`](crate::function) writes both phases.

use std::future::{Future, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::adapters::Adapters;
use crate::start::{Start, StartError};

/// The one name of a function: that of its package, folder, binary and log lines.
pub trait Named: Send + Sync + 'static {
    /// The name, such as `key-verify`.
    const NAME: &'static str;
}

/// Creates a function from what a [`Start`] offers.
pub trait Wire<A: Adapters>: Sized {
    /// Creates all parts that need no answer from the network. The result waits for the others.
    ///
    /// # Errors
    /// If a setting is missing or unusable.
    fn wire(start: &Start<A>) -> Wiring<Self>;
}

/// A function whose secrets have not been read yet.
pub type Wiring<F> = Result<Pending<F>, StartError>;

/// A part of a function that may have to be read from the network. Nothing is read before it is awaited.
// Boxed, so that its type has a name. That costs some nanoseconds of a start.
pub struct Pending<T>(Pin<Box<dyn Future<Output = Result<T, StartError>> + Send>>);

impl<T: Send + 'static> Pending<T> {
    /// Wraps the future that reads the part.
    pub fn new(part: impl Future<Output = Result<T, StartError>> + Send + 'static) -> Self {
        Self(Box::pin(part))
    }

    /// Wraps a part that needs no reading.
    pub fn ready(part: T) -> Self {
        Self::new(ready(Ok(part)))
    }

    /// Converts the part once it is read.
    #[must_use]
    pub fn map<U: Send + 'static>(self, make: impl FnOnce(T) -> U + Send + 'static) -> Pending<U> {
        Pending::new(async { self.await.map(make) })
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, StartError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

/// Declares a function: its dependencies, and the method of [`Start`] that creates each.
///
/// First all of them are created, in this order. Then those with `.await`, which are [`Pending`], are read one after the
/// other.
///
/// ```
/// # use consigne_auth::SessionVerifier;
/// # use consigne_runtime::{Adapters, Paging, function};
/// function! {
///     users: SessionVerifier = session_verifier(),
///     keys: A::Table = table(),
///     paging: Paging = paging().await,
/// }
/// ```
#[macro_export]
macro_rules! function {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $make:ident($($setting:expr)?) $(.$wait:tt)?,)*) => {
        /// The function and its dependencies.
        pub struct Function<A: $crate::Adapters> {
            $($(#[$doc])* $field: $type,)*
        }

        impl<A: $crate::Adapters> $crate::Named for Function<A> {
            const NAME: &'static str = env!("CARGO_PKG_NAME");
        }

        impl<A: $crate::Adapters> $crate::Wire<A> for Function<A> {
            fn wire(start: &$crate::Start<A>) -> $crate::Wiring<Self> {
                $(let $field = start.$make($($setting)?)?;)*
                Ok($crate::Pending::new(async move { Ok(Self { $($field: $field $(.$wait?)?,)* }) }))
            }
        }
    };
}

/// Names a set of bounds, so that it is written once: `needs!(trait Needs: Adapters<Table: GetKey + ChangeKey>);`
#[macro_export]
macro_rules! needs {
    ($(#[$doc:meta])* $visibility:vis trait $name:ident: $($bounds:tt)*) => {
        $(#[$doc])*
        $visibility trait $name: $($bounds)* {}
        impl<T: $($bounds)*> $name for T {}
    };
}
