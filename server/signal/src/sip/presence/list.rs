//! Lists of resources (RFC 4662): one subscription to many lamps or friends, told in one NOTIFY.
//!
//! The document names them (RLMI), and each has its own state as a part beside it. Who is told of a change hears of
//! what changed alone, unless `full_state` is set; the first NOTIFY, and that to a renewal, has all.

use std::fmt::Write;

use ::sip::Body;

use super::document::escaped;
use super::{Item, Watched};

/// A list that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List {
    /// `full_state`.
    pub(crate) is_full: bool,
    /// `notification_batch_interval`, in milliseconds.
    pub(crate) batch_ms: u32,
    /// `resource_display_name`.
    pub(crate) is_named: bool,
    /// What stood in the configuration.
    pub(crate) items: Vec<String>,
}

/// One resource with the text of its state; without it, it is there no more.
pub(crate) struct Part<'a> {
    pub(crate) item: &'a Item,
    pub(crate) text: Option<String>,
}

/// The whole body. `version` counts those of this subscription; `is_full` says that no resource is left out.
pub(crate) fn body(
    watched: &Watched,
    list: &List,
    (version, is_full): (u32, bool),
    parts: &[Part<'_>],
) -> Body {
    let mut rlmi = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"{}\" version=\"{version}\" \
         fullState=\"{is_full}\">\r\n",
        escaped(&watched.entity)
    );
    for (index, Part { item, text }) in parts.iter().enumerate() {
        let _ = write!(rlmi, "<resource uri=\"{}\">", escaped(&item.entity));
        if let Some(name) = item.display.as_ref().filter(|_| list.is_named) {
            let _ = write!(rlmi, "<name>{}</name>", escaped(name));
        }
        let id = escaped(&item.name);
        // RFC 4662 §5.5: an instance of a resource that is no more has no part.
        let instance = match text {
            Some(_) => {
                let cid = cid(version, index + 1);
                format!("<instance id=\"{id}\" state=\"active\" cid=\"{cid}\"/>")
            }
            None => {
                format!("<instance id=\"{id}\" state=\"terminated\" reason=\"noresource\"/>")
            }
        };
        let _ = write!(rlmi, "{instance}</resource>\r\n");
    }
    rlmi.push_str("</list>\r\n");
    let mut text = String::new();
    let mut add = |index: usize, media_type: &str, part: &str| {
        let cid = cid(version, index);
        let _ = write!(
            text,
            "--{BOUNDARY}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{cid}>\r\n\
             Content-Type: {media_type}\r\n\r\n{part}\r\n"
        );
    };
    add(0, RLMI, &rlmi);
    for (index, Part { text, .. }) in parts.iter().enumerate() {
        if let Some(part) = text {
            add(index + 1, watched.package.media_type(), part);
        }
    }
    let _ = write!(text, "--{BOUNDARY}--\r\n");
    let start = cid(version, 0);
    Body {
        content_type: format!(
            "multipart/related;type=\"{RLMI}\";start=\"<{start}>\";boundary=\"{BOUNDARY}\""
        )
        .into(),
        bytes: text.into(),
    }
}

/// The names of parts are unlike within one document.
fn cid(version: u32, index: usize) -> String {
    format!("{index}.{version}@lists.invalid")
}

const RLMI: &str = "application/rlmi+xml";

/// No line of a document begins so: they are XML, or headers of a message summary.
const BOUNDARY: &str = "=-sidetone-list";
