//! What is served: routes contributed by others, then the phone page.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use axum::response::IntoResponse;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::guard::Refusal;
use crate::websocket::{Upgrade, WebSocket};
use crate::{Connection, Guard, page, static_files};

/// The table of routes, built once by `main`.
#[derive(Default)]
pub struct Routes {
    entries: Vec<(&'static str, Route)>,
}

/// Who may read a JSON route. Both also require a `Host` and `Origin` of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Programs and pages on this machine.
    Loopback,
    /// Pages served by us, wherever the browser is.
    SameOrigin,
}

enum Route {
    WebSocket {
        subprotocol: &'static str,
        serve: Serve,
    },
    Json {
        audience: Audience,
        produce: Produce,
    },
}

type Serve = Arc<dyn Fn(WebSocket) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;
type Produce = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

impl Routes {
    /// Only the phone page and `/healthz`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A WebSocket at `path`; `serve` runs each accepted socket to its end, in its own task.
    #[must_use]
    pub fn websocket<F, Fut>(
        mut self,
        path: &'static str,
        subprotocol: &'static str,
        serve: F,
    ) -> Self
    where
        F: Fn(WebSocket) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let serve: Serve = Arc::new(move |socket| Box::pin(serve(socket)));
        self.entries
            .push((path, Route::WebSocket { subprotocol, serve }));
        self
    }

    /// A JSON value made anew for each request.
    #[must_use]
    pub fn json<F>(mut self, path: &'static str, audience: Audience, produce: F) -> Self
    where
        F: Fn() -> serde_json::Value + Send + Sync + 'static,
    {
        self.entries.push((
            path,
            Route::Json {
                audience,
                produce: Arc::new(produce),
            },
        ));
        self
    }

    /// The paths, in the order they were added.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().map(|(path, _)| *path)
    }

    fn find(&self, path: &str) -> Option<&Route> {
        self.entries
            .iter()
            .find_map(|(own, route)| (*own == path).then_some(route))
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.entries.iter().map(|(path, _)| path))
            .finish()
    }
}

/// What every connection shares.
pub(crate) struct Shared {
    pub(crate) routes: Routes,
    pub(crate) guard: Guard,
    pub(crate) tracker: TaskTracker,
    pub(crate) stopping: CancellationToken,
    pub(crate) websockets: AtomicUsize,
}

impl Shared {
    /// Answers one request. Nothing here waits: bodies are not read.
    pub(crate) fn dispatch(
        self: &Arc<Self>,
        mut request: Request<Body>,
        connection: Connection,
        wildcard: bool,
    ) -> Response<Body> {
        let found = self
            .guard
            .check_host(request.headers(), &connection, wildcard)
            .map_err(|refusal| (StatusCode::MISDIRECTED_REQUEST, refusal))
            .and_then(|()| self.route(&mut request, connection));
        let mut response = match found {
            Ok(response) => response,
            Err((status, refusal)) => {
                self.guard.log_once(&refusal, connection.remote.ip());
                page::sentence(status, &refusal.to_string())
            }
        };
        for (name, text) in SECURITY_HEADERS {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), page::value(text));
        }
        // The body of an answer to HEAD is left out, and its length told, by hyper.
        response
    }

    fn route(
        self: &Arc<Self>,
        request: &mut Request<Body>,
        connection: Connection,
    ) -> Result<Response<Body>, (StatusCode, Refusal)> {
        let path = request.uri().path().to_owned();
        let forbidden = |refusal| (StatusCode::FORBIDDEN, refusal);
        let readable = matches!(*request.method(), Method::GET | Method::HEAD);
        let Some(route) = self.routes.find(&path) else {
            return Ok(match path.as_str() {
                "/healthz" if readable => page::sentence(StatusCode::OK, "ok"),
                path => static_files::serve(request.method(), path, request.headers()),
            });
        };
        if !readable {
            let mut response = page::sentence(
                StatusCode::METHOD_NOT_ALLOWED,
                "Only GET and HEAD work here.",
            );
            response
                .headers_mut()
                .insert(ALLOW, page::value("GET, HEAD"));
            return Ok(response);
        }
        match route {
            Route::Json { audience, produce } => {
                self.guard
                    .check_origin(request.headers())
                    .map_err(forbidden)?;
                let far = !connection.remote.ip().to_canonical().is_loopback();
                let far = far || is_forwarded(request.headers());
                if *audience == Audience::Loopback && far {
                    return Err(forbidden(Refusal::NotLoopback));
                }
                let mut response = Json(produce()).into_response();
                response
                    .headers_mut()
                    .insert(CACHE_CONTROL, page::value("no-store"));
                Ok(response)
            }
            Route::WebSocket { subprotocol, serve } => {
                let upgrade = match Upgrade::of(request, subprotocol) {
                    Ok(upgrade) => upgrade,
                    Err(response) => return Ok(*response),
                };
                self.guard
                    .check_origin(request.headers())
                    .map_err(forbidden)?;
                let response = upgrade.response(subprotocol);
                self.spawn(upgrade, connection, serve.clone());
                Ok(response)
            }
        }
    }

    /// The socket gets its own small task: one future for both phases would keep HTTP's buffers.
    fn spawn(self: &Arc<Self>, upgrade: Upgrade, connection: Connection, serve: Serve) {
        let shared = self.clone();
        self.tracker.spawn(async move {
            let (stopping, tracked) = (shared.stopping.clone(), shared.tracker.token());
            let Some(socket) = upgrade.finish(connection, stopping, tracked).await else {
                return;
            };
            shared.websockets.fetch_add(1, Ordering::Relaxed);
            let _counted = Uncount(&shared.websockets);
            serve(socket).await;
        });
    }
}

/// Whether a proxy on this machine asks for somebody else, who may be anywhere (RFC 7239).
fn is_forwarded(headers: &HeaderMap) -> bool {
    const NAMES: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    NAMES.iter().any(|name| headers.contains_key(*name))
}

/// Takes one from the count, also when the socket's task panics.
struct Uncount<'a>(&'a AtomicUsize);

impl Drop for Uncount<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The page runs its own files alone, and no other page frames it or borrows its devices.
const SECURITY_HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; \
         worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (
        "permissions-policy",
        "camera=(self), microphone=(self), display-capture=(self), geolocation=(), payment=(), usb=()",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];
