//! HTTP/1.1 connections, with TLS where the address is `https`, that are kept and used again.
//!
//! They replace the SDK's own connector. That one brings HTTP/2, proxies and a second pool that no function uses, and
//! parses the text of all root certificates at every start.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError, SharedDnsResolver};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector as Tcp};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tower_service::Service;

/// Amazon Root CA 1 to 4 and Starfield Services Root CA G2, which sign the certificates of all AWS endpoints. Source:
/// <https://www.amazontrust.com/repository/>.
const AMAZON: [&[u8]; 5] = [
    include_bytes!("../roots/amazon-root-ca-1.der"),
    include_bytes!("../roots/amazon-root-ca-2.der"),
    include_bytes!("../roots/amazon-root-ca-3.der"),
    include_bytes!("../roots/amazon-root-ca-4.der"),
    include_bytes!("../roots/starfield-services-root-ca-g2.der"),
];

/// Without this setting the first handshake of every execution environment waits 22 ms for its first random number.
const _: () = assert!(
    matches!(option_env!("AWS_LC_SYS_NO_JITTER_ENTROPY"), Some(set) if matches!(set.as_bytes(), b"1")),
    "call cargo below the workspace's folder, where .cargo/config.toml says how the crypto provider is built"
);

/// Which root certificates are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roots {
    /// AWS's own, which are compiled into the binary.
    Amazon,
    /// Those of the machine. They are read when the first TLS connection is opened.
    Machine,
}

/// How connections are opened and kept.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Which root certificates are trusted.
    pub roots: Roots,
    /// Longest wait for a connection, TLS handshake included.
    pub connect: Duration,
    /// Longest wait for the head of an answer.
    pub answer: Duration,
    /// How long an unused connection is kept.
    pub idle: Duration,
    /// Whether an address that a name resolves to may be called.
    pub allowed: fn(IpAddr) -> bool,
}

/// How long an unused connection is kept, unless there is a reason for another time.
pub const IDLE: Duration = Duration::from_secs(90);

/// A pool of connections, to any host.
#[derive(Clone)]
pub struct Connections {
    client: Client<Opening, SdkBody>,
    answer: Duration,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("answer", &self.answer).finish_non_exhaustive()
    }
}

impl Connections {
    /// Creates an empty pool that resolves names as the machine does.
    pub fn new(terms: Terms) -> Self {
        Self::resolving(terms, Machine)
    }

    /// Creates an empty pool that resolves names with `resolver`.
    pub fn resolving(terms: Terms, resolver: impl ResolveDns + 'static) -> Self {
        let mut tcp = Tcp::new_with_resolver(Guarded::new(resolver, terms.allowed));
        // Otherwise the second of two small writes waits until the other side acknowledges the first.
        tcp.set_nodelay(true);
        // The time is divided among the addresses of a name, so one that does not answer leaves time for the next.
        tcp.set_connect_timeout(Some(terms.connect));
        tcp.enforce_http(false);
        let Terms { roots, connect: within, allowed, .. } = terms;
        let opening = Opening { tcp, tls: Arc::default(), roots, within, allowed };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(terms.idle)
            .build(opening);
        Self { client, answer: terms.answer }
    }
}

impl HttpConnector for Connections {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let answer = tokio::time::timeout(self.answer, self.client.request(request));
        HttpConnectorFuture::new(async move {
            let answer = answer.await.map_err(|late| ConnectorError::timeout(late.into()))?.map_err(failure)?;
            let answer = HttpResponse::try_from(answer.map(SdkBody::from_body_1_x));
            answer.map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Classifies a failure as a timeout, a broken connection or another one. Retries are decided by this.
fn failure(error: ClientError) -> ConnectorError {
    let cause: &(dyn Error + 'static) = &error;
    let slow = find::<std::io::Error>(cause).is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut);
    if slow || find::<Elapsed>(cause).is_some() {
        return ConnectorError::timeout(error.into());
    }
    let kind: fn(BoxError) -> ConnectorError = match find::<hyper::Error>(cause) {
        Some(error) if error.is_user() => ConnectorError::user,
        // The connection broke off before the whole answer had arrived.
        Some(broken) if broken.is_closed() || broken.is_canceled() || broken.is_incomplete_message() => {
            ConnectorError::io
        }
        _ if error.is_connect() || find::<std::io::Error>(cause).is_some() => ConnectorError::io,
        _ => |error| ConnectorError::other(error, None),
    };
    kind(error.into())
}

/// Returns whether a call failed before a connection was open, so that the other side cannot have received it.
pub fn was_never_connected(error: &(dyn Error + 'static)) -> bool {
    find::<ClientError>(error).is_some_and(ClientError::is_connect)
}

/// Returns the first error of type `E` among an error and its causes.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut causes = std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source());
    causes.find_map(|cause| cause.downcast_ref::<E>())
}

/// Opens TCP and TLS connections to allowed addresses.
#[derive(Clone)]
struct Opening {
    tcp: Tcp<Guarded>,
    /// Created when the first TLS connection is opened.
    tls: Arc<OnceLock<HttpsConnector<Tcp<Guarded>>>>,
    roots: Roots,
    within: Duration,
    allowed: fn(IpAddr) -> bool,
}

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// An open connection. It does not tell the pool its addresses, which nobody asks for: two system calls less.
struct Opened(Stream);

impl Connection for Opened {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Opened {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Opened {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, pieces)
    }
}

impl Service<http::Uri> for Opening {
    type Response = Opened;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Opened, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: http::Uri) -> Self::Future {
        let within = self.within;
        // The connector does not ask the resolver about a literal IP address, so the rule is applied to it here.
        let literal = to.host().and_then(|host| host.trim_matches(['[', ']']).parse().ok());
        if literal.is_some_and(|address| !(self.allowed)(address)) {
            return Box::pin(std::future::ready(Err(not_allowed().into())));
        }
        if to.scheme() == Some(&http::uri::Scheme::HTTP) {
            let opening = self.tcp.call(to);
            return Box::pin(async move {
                Ok(Opened(MaybeHttpsStream::Http(tokio::time::timeout(within, opening).await??)))
            });
        }
        let opening = self.tls.get_or_init(|| (self.tcp.clone(), tls(self.roots)).into()).clone().call(to);
        Box::pin(async move { Ok(Opened(tokio::time::timeout(within, opening).await??)) })
    }
}

fn tls(roots: Roots) -> ClientConfig {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Amazon => store.add_parsable_certificates(AMAZON.map(CertificateDer::from)),
        Roots::Machine => store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    };
    // The only crypto provider of the workspace, which also verifies tokens; deny.toml forbids others.
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    // Fails only for a provider that has no cipher for TLS 1.2 and 1.3.
    #[allow(clippy::expect_used)]
    let builder = builder.with_safe_default_protocol_versions().expect("the provider knows TLS");
    builder.with_root_certificates(store).with_no_client_auth()
}

/// Resolves names as the machine does.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

impl ResolveDns for Machine {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

fn not_allowed() -> ResolveDnsError {
    ResolveDnsError::new("no address that may be called")
}

/// Removes forbidden addresses from a resolver's answer. The connection is then made to one of the remaining addresses,
/// without a second lookup that could return another one.
#[derive(Clone, Debug)]
pub struct Guarded {
    resolver: SharedDnsResolver,
    allowed: fn(IpAddr) -> bool,
}

impl Guarded {
    /// Applies the rule `allowed` to every answer of `resolver`.
    pub fn new(resolver: impl ResolveDns + 'static, allowed: fn(IpAddr) -> bool) -> Self {
        Self { resolver: SharedDnsResolver::new(resolver), allowed }
    }
}

impl ResolveDns for Guarded {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let mut allowed = self.resolver.resolve_dns(name).await?;
            allowed.retain(|address| (self.allowed)(*address));
            if allowed.is_empty() { Err(not_allowed()) } else { Ok(allowed) }
        })
    }
}

impl Service<Name> for Guarded {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ResolveDnsError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ResolveDnsError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ResolveDnsError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move {
            let found = resolver.resolve_dns(name.as_str()).await?;
            // Port 0 stands for none; the connector sets the one of the URL.
            let found: Vec<SocketAddr> = found.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
            Ok(found.into_iter())
        })
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
