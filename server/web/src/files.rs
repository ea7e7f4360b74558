//! Files of a folder on disk, at `/static`: what Asterisk keeps in `static-http`.
//!
//! Names that begin with a dot are never served, and the kernel itself keeps a path in its folder
//! (openat2(2)). Single ranges, validators and compression as in RFC 9110; folders are not listed.

mod open;
mod range;

use std::path::PathBuf;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE, VARY,
};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};
use tokio_util::io::ReaderStream;

use crate::compress::{Compressor, Encoding, is_compressible};
use crate::limits::{COMPRESSED_SOURCE_BYTES_MAX, FILE_CHUNK_BYTES};
use crate::page;
use crate::static_files::{absent, content_type, is_known};
use open::{Opened, Readable};
use range::Ranged;

/// Marks the answers that are the operator's pages, not ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Foreign;

/// One request for something below the folder.
pub(crate) struct Wanted<'a> {
    pub(crate) folder: PathBuf,
    /// Decoded, below the folder: empty, or it begins with a slash.
    pub(crate) name: &'a str,
    /// The whole path as it was sent.
    pub(crate) path: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
}

/// Answers GET and HEAD.
pub(crate) async fn serve(wanted: Wanted<'_>, compressor: &Compressor) -> Response<Body> {
    let mut response = match find(&wanted).await {
        Ok((name, file)) => answer(&wanted, name, file, compressor).await,
        Err(response) => *response,
    };
    response.extensions_mut().insert(Foreign);
    response
}

/// The file and its name in the folder.
async fn find(wanted: &Wanted<'_>) -> Result<(String, Readable), Box<Response<Body>>> {
    let absent = || Box::new(absent());
    let name = relative(wanted.name).ok_or_else(absent)?;
    let is_folder = name.is_empty() || name.ends_with('/');
    match open::open(&wanted.folder, &name).await {
        Some(Opened::File(file)) if !is_folder => Ok((name, file)),
        // A relative link of the page must lead into the folder.
        Some(Opened::Folder) if !wanted.path.ends_with('/') => {
            let to = format!("{}/", wanted.path);
            Err(Box::new(page::redirect(StatusCode::MOVED_PERMANENTLY, &to)))
        }
        Some(Opened::Folder) => {
            let name = format!("{name}index.html");
            match open::open(&wanted.folder, &name).await {
                Some(Opened::File(file)) => Ok((name, file)),
                Some(Opened::Folder) | None => Err(absent()),
            }
        }
        Some(Opened::File(_)) | None => Err(absent()),
    }
}

/// A path of plain names, with its slash at the end if it has one.
fn relative(name: &str) -> Option<String> {
    let name = name.strip_prefix('/').unwrap_or(name);
    let within = name.strip_suffix('/').unwrap_or(name);
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.');
    (within.is_empty() && name.is_empty() || within.split('/').all(plain)).then(|| name.to_owned())
}

async fn answer(
    wanted: &Wanted<'_>,
    name: String,
    file: Readable,
    compressor: &Compressor,
) -> Response<Body> {
    let guessed = mime_guess::from_path(&name).first_or_octet_stream();
    let kind = content_type(&name, guessed.essence_str());
    let compressible = is_compressible(&kind);
    let range = wanted.headers.get(RANGE);
    let range = range.filter(|_| *wanted.method == Method::GET);
    let encoding = Encoding::wanted(wanted.headers).filter(|_| compressible && range.is_none());
    let mut found = Found {
        etag: format!("\"{}\"", file.version),
        modified: file.modified,
        encoding: None,
        body: Content::File(file),
    };
    if let Some(encoding) = encoding {
        found = found.encoded(wanted, &name, encoding, compressor).await;
    }
    let mut response = if found.is_known(wanted.headers) {
        page::not_modified()
    } else {
        let range = range
            .and_then(|range| range.to_str().ok())
            .filter(|_| found.may_be_ranged(wanted.headers));
        found.response(range).await
    };
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(ETAG, page::value(&found.etag));
    headers.insert(
        LAST_MODIFIED,
        page::value(&httpdate::fmt_http_date(found.modified)),
    );
    headers.insert(CACHE_CONTROL, page::value("no-cache"));
    headers.insert(ACCEPT_RANGES, page::value("bytes"));
    if matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        headers.insert(CONTENT_TYPE, page::value(&kind));
        if let Some(encoding) = found.encoding {
            headers.insert(CONTENT_ENCODING, page::value(encoding.name()));
        }
    }
    if compressible {
        headers.insert(VARY, page::value("Accept-Encoding"));
    }
    response
}

/// What is sent of a file.
struct Found {
    etag: String,
    modified: SystemTime,
    encoding: Option<Encoding>,
    body: Content,
}

enum Content {
    File(Readable),
    Bytes(Bytes),
    /// Handed out.
    Gone,
}

impl Found {
    /// A copy encoded beforehand (`app.js.br`) that is not older, else one made here; itself where
    /// there is neither.
    async fn encoded(
        mut self,
        wanted: &Wanted<'_>,
        name: &str,
        encoding: Encoding,
        compressor: &Compressor,
    ) -> Self {
        let Content::File(file) = &mut self.body else {
            return self;
        };
        let sibling = format!("{name}.{}", encoding.suffix());
        if let Some(Opened::File(sibling)) = open::open(&wanted.folder, &sibling).await
            && sibling.modified >= file.modified
        {
            self.etag = format!("\"{}-{}\"", sibling.version, encoding.suffix());
            self.encoding = Some(encoding);
            self.body = Content::File(sibling);
            return self;
        }
        let key = format!("{}/{name}:{}", wanted.folder.display(), file.version);
        let mut copy = compressor.has(&key, encoding);
        // The file is read whole only by the one who makes the copy: many who read slowly would fill
        // the memory with it.
        if copy.is_none()
            && let Some(making) = compressor.begin(key, encoding, file.bytes)
        {
            let Some(whole) = file.whole().await else {
                self.body = Content::Gone;
                return self;
            };
            copy = compressor.make(making, whole).await;
        }
        if let Some(copy) = copy {
            self.etag = format!(
                "{}-{}\"",
                self.etag.trim_end_matches('"'),
                encoding.suffix()
            );
            self.encoding = Some(encoding);
            self.body = Content::Bytes(copy);
        }
        self
    }

    /// RFC 9110 §13.2.2: If-None-Match first; the date counts where there is none.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        if headers.contains_key(IF_NONE_MATCH) {
            return is_known(headers, &self.etag);
        }
        let since = headers
            .get(IF_MODIFIED_SINCE)
            .and_then(|date| date.to_str().ok());
        let since = since.and_then(|date| httpdate::parse_http_date(date).ok());
        since.is_some_and(|since| whole_seconds(self.modified) <= since)
    }

    /// RFC 9110 §13.1.5: a range of another version would be put together with this one.
    fn may_be_ranged(&self, headers: &HeaderMap) -> bool {
        let Some(condition) = headers.get(IF_RANGE) else {
            return true;
        };
        let condition = condition.to_str().unwrap_or_default().trim();
        condition == self.etag
            || httpdate::parse_http_date(condition)
                .is_ok_and(|date| date == whole_seconds(self.modified))
    }

    async fn response(&mut self, range: Option<&str>) -> Response<Body> {
        let file = match std::mem::replace(&mut self.body, Content::Gone) {
            Content::File(file) => file,
            Content::Bytes(bytes) => return Response::new(Body::from(bytes)),
            Content::Gone => return absent(),
        };
        let total = file.bytes;
        match range.map_or(Ranged::Whole, |range| Ranged::of(range, total)) {
            Ranged::Whole => file.response(0, total).await,
            Ranged::Part { first, last } => {
                let mut response = file.response(first, last - first + 1).await;
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                let part = format!("bytes {first}-{last}/{total}");
                response
                    .headers_mut()
                    .insert(CONTENT_RANGE, page::value(&part));
                response
            }
            Ranged::Unsatisfiable => {
                let text = "The file has not so many bytes.";
                let mut response = page::sentence(StatusCode::RANGE_NOT_SATISFIABLE, text);
                let all = format!("bytes */{total}");
                response
                    .headers_mut()
                    .insert(CONTENT_RANGE, page::value(&all));
                response
            }
        }
    }
}

impl Readable {
    /// All of it; it can be read again after that.
    async fn whole(&mut self) -> Option<Bytes> {
        let mut bytes = Vec::new();
        let mut limited = (&mut self.file).take(COMPRESSED_SOURCE_BYTES_MAX);
        limited.read_to_end(&mut bytes).await.ok()?;
        self.file.seek(SeekFrom::Start(0)).await.ok()?;
        Some(bytes.into())
    }

    /// `length` bytes from `first` on. A file that shrinks meanwhile ends the connection early,
    /// which the client sees by the length.
    async fn response(mut self, first: u64, length: u64) -> Response<Body> {
        if first > 0 && self.file.seek(SeekFrom::Start(first)).await.is_err() {
            return absent();
        }
        let part = self.file.take(length);
        let body = Body::from_stream(ReaderStream::with_capacity(part, FILE_CHUNK_BYTES));
        let mut response = Response::new(body);
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        response
    }
}

/// Dates of HTTP have no fractions.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let since_1970 = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(since_1970.as_secs())
}
