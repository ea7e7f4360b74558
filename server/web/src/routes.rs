//! What is served: routes contributed by others, then the phone page.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use axum::Json;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, HOST, HeaderName, SERVER};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Version as HttpVersion};
use axum::response::IntoResponse;
use hyper::body::Body as _;
use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::acme::Challenges;
use crate::compress::Compressor;
use crate::guard::Refusal;
use crate::limits::BODY_BYTES_MAX;
use crate::listener::State;
use crate::places::{Place, Places};
use crate::serve::NeedsHttp1;
use crate::websocket::{Upgrade, WebSocket};
use crate::{Connection, files, page, static_files, status_page};

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
    pub(crate) state: ArcSwap<State>,
    pub(crate) challenges: Challenges,
    pub(crate) places: Arc<Places>,
    pub(crate) tracker: TaskTracker,
    pub(crate) stopping: CancellationToken,
    pub(crate) websockets: AtomicUsize,
    compressor: Compressor,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

/// The connection a request comes over.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) connection: Connection,
    /// Its listener takes any address of the machine.
    pub(crate) wildcard: bool,
    pub(crate) place: Arc<Place>,
}

/// Why a request gets no page.
enum Stop {
    Refused(StatusCode, Refusal),
    NeedsHttp1,
}

impl Shared {
    pub(crate) fn new(routes: Routes, state: ArcSwap<State>) -> Self {
        Self {
            routes,
            state,
            challenges: Challenges::default(),
            places: Arc::default(),
            tracker: TaskTracker::new(),
            stopping: CancellationToken::new(),
            websockets: AtomicUsize::new(0),
            compressor: Compressor::default(),
        }
    }

    /// Answers one request. Bodies of requests are not read.
    pub(crate) async fn dispatch(
        self: &Arc<Self>,
        mut request: Request<Body>,
        asked: &Asked,
    ) -> Result<Response<Body>, NeedsHttp1> {
        let state = self.state.load_full();
        adopt_authority(&mut request);
        let bodiless = *request.method() == Method::HEAD;
        let mut response = match self.answer(&state, &mut request, asked).await {
            Ok(response) => response,
            Err(Stop::Refused(status, refusal)) => {
                let remote = asked.connection.remote.ip();
                state.guard.log_once(&refusal, remote);
                page::refusal(status, refusal.to_string(), refusal.russian())
            }
            Err(Stop::NeedsHttp1) => return Err(NeedsHttp1),
        };
        response = page::fault(response, request.headers(), &state.site);
        secure(&mut response);
        if let Some(name) = &state.site.server_name {
            response.headers_mut().insert(SERVER, page::value(name));
        }
        if bodiless {
            behead(&mut response);
        }
        Ok(response)
    }

    async fn answer(
        self: &Arc<Self>,
        state: &State,
        request: &mut Request<Body>,
        asked: &Asked,
    ) -> Result<Response<Body>, Stop> {
        let site = &state.site;
        let Some(path) = decoded(request.uri().path()) else {
            let text = "The address of the request is not in UTF-8.";
            return Ok(page::sentence(StatusCode::BAD_REQUEST, text));
        };
        // The validating server asks by names that may not be ours yet (RFC 8555 §8.3).
        let token = path.strip_prefix("/.well-known/acme-challenge/");
        if let Some(answer) = token.and_then(|token| self.challenges.answer(token)) {
            return Ok(page::octets(answer));
        }
        state
            .guard
            .check_host(request.headers(), &asked.connection, asked.wildcard)
            .map_err(|refusal| Stop::Refused(StatusCode::MISDIRECTED_REQUEST, refusal))?;
        if !site.allows(&path, asked.connection.remote.ip()) {
            return Err(forbidden(Refusal::Restricted));
        }
        if announced_bytes(request.headers()) > BODY_BYTES_MAX {
            let text = "The body of the request is too big.";
            return Ok(page::sentence(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        if let Some(to) = site.redirect(&path) {
            return Ok(page::redirect(StatusCode::FOUND, to));
        }
        let readable = matches!(*request.method(), Method::GET | Method::HEAD);
        if path == "/healthz" && readable {
            return Ok(page::sentence(StatusCode::OK, "ok"));
        }
        let Some(own) = site.within(&path) else {
            return Ok(static_files::absent());
        };
        if !readable {
            return Ok(page::only_reading());
        }
        if own.is_empty() && !site.prefix.is_empty() {
            let to = format!("{}/", site.prefix);
            return Ok(page::redirect(StatusCode::MOVED_PERMANENTLY, &to));
        }
        if let Some(route) = self.routes.find(own) {
            return self.route(state, route, request, asked);
        }
        if own == "/httpstatus" && site.status_page {
            let paths = self.routes.paths();
            return Ok(status_page::page(state, paths, request.headers()));
        }
        let below = own.strip_prefix("/static");
        let below = below.filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if let (Some(folder), Some(name)) = (&site.static_folder, below) {
            let wanted = files::Wanted {
                folder: folder.clone(),
                name,
                path: request.uri().path(),
                method: request.method(),
                headers: request.headers(),
            };
            return Ok(files::serve(wanted, &self.compressor).await);
        }
        Ok(static_files::serve(own, request.headers(), &self.compressor).await)
    }

    fn route(
        self: &Arc<Self>,
        state: &State,
        route: &Route,
        request: &mut Request<Body>,
        asked: &Asked,
    ) -> Result<Response<Body>, Stop> {
        let connection = asked.connection;
        match route {
            Route::Json { audience, produce } => {
                let guard = &state.guard;
                guard.check_origin(request.headers()).map_err(forbidden)?;
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
                if request.version() == HttpVersion::HTTP_2 {
                    return Err(Stop::NeedsHttp1);
                }
                let upgrade = match Upgrade::of(request, subprotocol, connection, &state.site) {
                    Ok(upgrade) => upgrade,
                    Err(response) => return Ok(*response),
                };
                let guard = &state.guard;
                guard
                    .check_websocket_origin(request.headers())
                    .map_err(forbidden)?;
                let response = upgrade.response(subprotocol);
                self.spawn(upgrade, asked.clone(), serve.clone());
                Ok(response)
            }
        }
    }

    /// The socket gets its own small task: one future for both phases would keep HTTP's buffers.
    fn spawn(self: &Arc<Self>, upgrade: Upgrade, asked: Asked, serve: Serve) {
        let shared = self.clone();
        self.tracker.spawn(async move {
            let (stopping, tracked) = (shared.stopping.clone(), shared.tracker.token());
            let connection = asked.connection;
            let Some(socket) = upgrade.finish(connection, stopping, tracked).await else {
                return;
            };
            asked.place.settle();
            drop(asked);
            shared.websockets.fetch_add(1, Ordering::Relaxed);
            let _counted = Uncount(&shared.websockets);
            serve(socket).await;
        });
    }
}

fn forbidden(refusal: Refusal) -> Stop {
    Stop::Refused(StatusCode::FORBIDDEN, refusal)
}

/// The path without percent signs; every check sees what the file system would see.
fn decoded(path: &str) -> Option<String> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    (!path.contains('\0')).then(|| path.into_owned())
}

/// HTTP/2 has the host in `:authority` (RFC 9113 §8.3.1).
fn adopt_authority(request: &mut Request<Body>) {
    let authority = request
        .uri()
        .authority()
        .map(|authority| page::value(authority.as_str()));
    if request.version() == HttpVersion::HTTP_2
        && let Some(authority) = authority
    {
        request.headers_mut().insert(HOST, authority);
    }
}

fn announced_bytes(headers: &HeaderMap) -> u64 {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

/// RFC 9110 §9.3.2: the answer to HEAD has the fields of that to GET and no content.
fn behead(response: &mut Response<Body>) {
    let length = response.body().size_hint().exact();
    if let Some(length) = length
        && !response.headers().contains_key(CONTENT_LENGTH)
    {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    *response.body_mut() = Body::empty();
}

/// Pages of the operator have the freedom he gives them; ours run our own files alone.
fn secure(response: &mut Response<Body>) {
    let foreign = response.extensions().get::<files::Foreign>().is_some();
    for (name, text) in SECURITY_HEADERS {
        if !foreign || name == "x-content-type-options" {
            response
                .headers_mut()
                .entry(HeaderName::from_static(name))
                .or_insert_with(|| page::value(text));
        }
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
