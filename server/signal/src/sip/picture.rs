//! Requests for key frames in INFO (RFC 5168): for phones whose RTCP has none.

use ::sip::Body;

/// The type of their body.
pub(crate) const TYPE: &str = "application/media_control+xml";

/// Asks for a key frame of all pictures.
pub(crate) fn fast_update() -> Body {
    Body {
        content_type: TYPE.into(),
        bytes: FAST_UPDATE.into(),
    }
}

/// Whether a body of that type asks for a key frame. It may name a stream; a phone has but one.
pub(crate) fn is_fast_update(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    // An element, not a mention of its name: `general_error` holds free text.
    let mut tags = text.split('<').skip(1);
    tags.any(|tag| {
        let mut names = tag.split(|c: char| c.is_whitespace() || "/>".contains(c));
        let name = names.next().unwrap_or_default();
        name.rsplit(':').next() == Some("picture_fast_update")
    })
}

const FAST_UPDATE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n\
    <media_control>\r\n <vc_primitive>\r\n  <to_encoder>\r\n   <picture_fast_update>\r\n   \
    </picture_fast_update>\r\n  </to_encoder>\r\n </vc_primitive>\r\n</media_control>\r\n";

#[cfg(test)]
mod tests {
    use super::{fast_update, is_fast_update};

    #[test]
    fn a_request_for_a_picture_is_known_by_its_element() {
        assert!(is_fast_update(&fast_update().bytes));
        let wrap = |inner: &str| {
            format!("<media_control><vc_primitive>{inner}</vc_primitive></media_control>")
        };
        for asks in [
            "<to_encoder><picture_fast_update/></to_encoder>",
            "<mc:picture_fast_update />",
        ] {
            assert!(is_fast_update(wrap(asks).as_bytes()), "{asks}");
        }
        for other in [
            "<to_encoder><picture_freeze/></to_encoder>",
            "<general_error>no picture_fast_update</general_error>",
            "<picture_fast_updates/>",
            "",
        ] {
            assert!(!is_fast_update(wrap(other).as_bytes()), "{other}");
        }
        assert!(!is_fast_update(b"\xff<picture_fast_update/>"));
    }
}
