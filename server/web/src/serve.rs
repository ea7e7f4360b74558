//! HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113) on one connection, until it ends or becomes a WebSocket.
//!
//! WebSockets go over HTTP/1.1. RFC 8441 is not offered, so browsers do not try it; who asks for a
//! WebSocket's address over HTTP/2 is told to come back with HTTP/1.1.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::Connection;
use crate::counted::{Activity, Counted};
use crate::limits::{
    GOODBYE_TIMEOUT, HEAD_BYTES_MAX, HEADERS_MAX, HTTP_LIFE_MAX, SEND_BUFFER_BYTES_MAX,
    STREAMS_MAX, WINDOW_BYTES,
};
use crate::routes::{Asked, Shared};
use crate::site::Pace;

/// Which one the client chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

pub(crate) async fn serve<S>(
    shared: Arc<Shared>,
    stream: Counted<S>,
    connection: Connection,
    wildcard: bool,
    version: Version,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (place, activity) = (stream.place(), stream.activity());
    let pace = shared.state.load().site.pace;
    let asked = Asked {
        connection,
        wildcard,
        place,
    };
    let service = {
        let (shared, activity) = (shared.clone(), activity.clone());
        service_fn(move |request: Request<Incoming>| {
            let (shared, asked) = (shared.clone(), asked.clone());
            let answering = Answering::new(activity.clone());
            async move {
                let answer = shared.dispatch(request.map(Body::new), &asked).await;
                drop(answering);
                answer.map_err(|NeedsHttp1| h2::Error::from(h2::Reason::HTTP_1_1_REQUIRED))
            }
        })
    };
    let stream = TokioIo::new(stream);
    let end = Ending {
        shared: &shared,
        activity: &activity,
        pace,
        connection,
    };
    match version {
        Version::Http1 => {
            let http = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(pace.inactivity.max(pace.keep_alive))
                .keep_alive(!pace.keep_alive.is_zero())
                .max_buf_size(HEAD_BYTES_MAX)
                .max_headers(HEADERS_MAX)
                .serve_connection(stream, service)
                .with_upgrades();
            end.drive(http, |http| http.graceful_shutdown()).await;
        }
        Version::Http2 => {
            let executor = Tracked(shared.tracker.clone());
            let http = hyper::server::conn::http2::Builder::new(executor)
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS_MAX)
                .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
                .max_send_buf_size(SEND_BUFFER_BYTES_MAX)
                .initial_stream_window_size(WINDOW_BYTES)
                .initial_connection_window_size(WINDOW_BYTES)
                .serve_connection(stream, service);
            // Apart, so that the task of an HTTP/1.1 connection has not its size.
            Box::pin(end.drive(http, |http| http.graceful_shutdown())).await;
        }
    }
}

/// The request must be asked again over HTTP/1.1.
#[derive(Debug)]
pub(crate) struct NeedsHttp1;

/// A request is being answered while this lives.
struct Answering(Arc<Activity>);

impl Answering {
    fn new(activity: Arc<Activity>) -> Self {
        activity.begin();
        Self(activity)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What ends a connection that does not end by itself.
struct Ending<'a> {
    shared: &'a Shared,
    activity: &'a Activity,
    pace: Pace,
    connection: Connection,
}

impl Ending<'_> {
    async fn drive<F>(&self, http: F, goodbye: impl FnOnce(Pin<&mut F>))
    where
        F: Future<Output = hyper::Result<()>>,
    {
        let mut http = pin!(http);
        tokio::select! {
            served = http.as_mut() => {
                if let Err(error) = served {
                    tracing::debug!(remote = %self.connection.remote, "HTTP: {error}");
                }
                return;
            }
            () = self.shared.stopping.cancelled() => {}
            () = self.quiet() => {}
            () = sleep(HTTP_LIFE_MAX) => {}
        }
        goodbye(http.as_mut());
        let _ = timeout(GOODBYE_TIMEOUT, http).await;
    }

    /// Waits until nothing moved for as long as the site allows.
    async fn quiet(&self) {
        let Pace {
            inactivity,
            keep_alive,
        } = self.pace;
        // Zero means that the connection ends with its answer, which the protocol sees to.
        let keep_alive = match keep_alive.is_zero() {
            true => inactivity,
            false => keep_alive,
        };
        loop {
            let allowed = match self.activity.is_idle() {
                true => keep_alive,
                false => inactivity,
            };
            let quiet = self.activity.quiet();
            if quiet >= allowed {
                return;
            }
            // What is allowed may shrink meanwhile, when the answer is out.
            let soonest = allowed.min(keep_alive);
            sleep(soonest.saturating_sub(quiet).max(LOOK_INTERVAL_MIN)).await;
        }
    }
}

/// Spawns the streams of HTTP/2 connections.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// The clock of inactivity is read no more often.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(250);
