//! Text to types, in one pass over the lines.

use crate::session::Origin;
use crate::{Fault, Line, Media, MediaKind, ParseError, Sdp};

/// The longest description read, in bytes. Fifty video streams are 60 KB.
pub const BYTES_MAX: usize = 256 * 1024;
/// The most lines read.
pub const LINES_MAX: usize = 8192;
/// The most `m=` lines read.
pub const MEDIA_MAX: usize = 128;
/// The most formats in one `m=` line: there are 128 payload types.
pub const FORMATS_MAX: usize = 256;

/// Reads a description. Bytes that are not UTF-8 become U+FFFD; they can only stand in free text.
pub fn parse(bytes: &[u8]) -> Result<Sdp, ParseError> {
    if bytes.len() > BYTES_MAX {
        return Err(Fault::TooLong.at(1));
    }
    let text = String::from_utf8_lossy(bytes);
    let mut sdp = Sdp::default();
    let mut count = 0;
    for (index, text) in text.split('\n').enumerate() {
        let number = index + 1;
        let text = text.trim_end_matches('\r');
        // Phones end a description with blank lines; RFC 8866 knows none.
        if text.trim().is_empty() {
            continue;
        }
        count += 1;
        if count > LINES_MAX {
            return Err(Fault::TooManyLines.at(number));
        }
        let line = parse_line(text).map_err(|fault| fault.at(number))?;
        if count == 1 {
            check_version(&line).map_err(|fault| fault.at(number))?;
        }
        place(&mut sdp, line).map_err(|fault| fault.at(number))?;
    }
    if count == 0 {
        return Err(Fault::Empty.at(1));
    }
    Ok(sdp)
}

fn parse_line(text: &str) -> Result<Line, Fault> {
    if text.contains(['\0', '\r']) {
        return Err(Fault::Control);
    }
    let (letter, value) = text.split_once('=').ok_or(Fault::NotALine)?;
    let mut letters = letter.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if letter.is_ascii_alphabetic() => Ok(Line::new(letter, value)),
        _ => Err(Fault::NotALine),
    }
}

fn check_version(line: &Line) -> Result<(), Fault> {
    if line.letter != 'v' {
        return Err(Fault::NoVersion);
    }
    // RFC 8866 §5.1: "This memo defines version 0."
    if line.value.trim() != "0" {
        return Err(Fault::Version);
    }
    Ok(())
}

/// Puts a line where it belongs: `m=` opens a section, all others go to the open one.
fn place(sdp: &mut Sdp, line: Line) -> Result<(), Fault> {
    match (line.letter, sdp.media.last_mut()) {
        ('m', _) => {
            if sdp.media.len() == MEDIA_MAX {
                return Err(Fault::TooManyMedia);
            }
            sdp.media.push(parse_media(&line.value)?);
        }
        (_, Some(media)) => media.lines.push(line),
        (letter, None) => {
            if letter == 'o' {
                Origin::parse(&line.value).ok_or(Fault::Origin)?;
            }
            sdp.lines.push(line);
        }
    }
    Ok(())
}

/// `m=<media> <port>[/<count>] <proto> <fmt> ...` (RFC 8866 §5.14).
fn parse_media(value: &str) -> Result<Media, Fault> {
    let mut fields = value.split_ascii_whitespace();
    let (Some(kind), Some(port), Some(profile)) = (fields.next(), fields.next(), fields.next())
    else {
        return Err(Fault::MediaFields);
    };
    let (port, count) = match port.split_once('/') {
        Some((port, count)) => (port, Some(count.parse().map_err(|_| Fault::MediaPort)?)),
        None => (port, None),
    };
    let formats: Vec<Box<str>> = fields.by_ref().take(FORMATS_MAX).map(Into::into).collect();
    if fields.next().is_some() {
        return Err(Fault::TooManyFormats);
    }
    if formats.is_empty() {
        return Err(Fault::MediaFields);
    }
    Ok(Media {
        kind: MediaKind::from_name(kind),
        port: port.parse().map_err(|_| Fault::MediaPort)?,
        port_count: count,
        profile: profile.into(),
        formats,
        lines: Vec::new(),
    })
}

impl Fault {
    fn at(self, line: usize) -> ParseError {
        ParseError { line, fault: self }
    }
}
