//! What can be wrong with a message, and what to answer.
//!
//! Three layers: [`ParseError`] (the bytes are no SIP message), [`HeaderError`] (one header is
//! malformed; found when somebody asks for it), [`Rejected`] (a request nobody should act on).

use std::fmt;

use crate::{Capabilities, HeaderName, Headers, Method, Request, Response, Status};

/// Why a header could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The header is not there and must be (RFC 3261 §8.1.1).
    Missing,
    /// The header stands more than once, or has several values, and its grammar allows one.
    Repeated,
    /// A value or a list element is empty.
    Empty,
    /// A quoted string has no closing quote.
    UnclosedQuote,
    /// An angle bracket has no partner.
    UnclosedBracket,
    /// A character outside the grammar.
    BadCharacter,
    /// A number that is no number.
    BadNumber,
    /// A number larger than the header allows (RFC 3261 §8.1.1.5: CSeq below 2^31).
    NumberTooLarge,
    /// The URI inside is malformed.
    BadUri,
    /// The host is no host name and no address.
    BadHost,
    /// A parameter is malformed.
    BadParameter,
    /// The protocol or version token is malformed.
    BadProtocol,
    /// A `?` or `,` or `;` in a URI without angle brackets (RFC 3261 §20.10).
    BareUri,
    /// More list elements than [`crate::limits::LIST_ELEMENTS_MAX`].
    TooMany,
    /// The date is not in the form of RFC 3261 §20.17.
    BadDate,
}

impl Fault {
    fn text(self) -> &'static str {
        match self {
            Self::Missing => "is missing",
            Self::Repeated => "has more than one value",
            Self::Empty => "has an empty value",
            Self::UnclosedQuote => "has an unclosed quoted string",
            Self::UnclosedBracket => "has an unpaired angle bracket",
            Self::BadCharacter => "has a character that does not belong there",
            Self::BadNumber => "has a malformed number",
            Self::NumberTooLarge => "has a number that is too large",
            Self::BadUri => "has a malformed URI",
            Self::BadHost => "has a malformed host",
            Self::BadParameter => "has a malformed parameter",
            Self::BadProtocol => "names a malformed protocol",
            Self::BareUri => "needs angle brackets around its URI",
            Self::TooMany => "has too many values",
            Self::BadDate => "has a malformed date",
        }
    }
}

/// A header that could not be read: which one, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderError {
    /// The header.
    pub name: HeaderName,
    /// What is wrong with it.
    pub fault: Fault,
}

impl HeaderError {
    /// An error of the header `name`.
    pub fn new(name: HeaderName, fault: Fault) -> Self {
        Self { name, fault }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.fault.text())
    }
}

impl std::error::Error for HeaderError {}

/// Why the bytes are no SIP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseFault {
    /// Nothing but CRLFs: a keep-alive (RFC 5626 §3.5.1).
    KeepAlive,
    /// More than [`crate::limits::MESSAGE_BYTES_MAX`].
    MessageTooLarge,
    /// More than [`crate::limits::HEADERS_MAX`] header lines.
    TooManyHeaders,
    /// A header longer than [`crate::limits::HEADER_BYTES_MAX`], folds included.
    HeaderTooLong,
    /// The Request-URI is longer than [`crate::limits::URI_BYTES_MAX`].
    UriTooLong,
    /// The first line is neither a request line nor a status line.
    BadStartLine,
    /// The request line has white space where RFC 3261 §7.1 allows none.
    BadRequestLine,
    /// The Request-URI does not follow RFC 3261 §19.1.1.
    BadRequestUri,
    /// A SIP version other than 2.0.
    VersionNotSupported,
    /// The status code is not between 100 and 699.
    BadStatus,
    /// A header line without a name or a colon.
    BadHeaderLine,
    /// The empty line that ends the headers is missing.
    Unfinished,
    /// Content-Length is no number.
    BadContentLength,
    /// Two Content-Length headers disagree.
    ConflictingContentLength,
    /// Content-Length promises more bytes than came.
    BodyTooShort,
}

impl ParseFault {
    /// The status that tells the sender.
    pub fn status(self) -> Status {
        match self {
            Self::MessageTooLarge => Status::MESSAGE_TOO_LARGE,
            Self::UriTooLong => Status::REQUEST_URI_TOO_LONG,
            Self::VersionNotSupported => Status::VERSION_NOT_SUPPORTED,
            Self::KeepAlive
            | Self::TooManyHeaders
            | Self::HeaderTooLong
            | Self::BadStartLine
            | Self::BadRequestLine
            | Self::BadRequestUri
            | Self::BadStatus
            | Self::BadHeaderLine
            | Self::Unfinished
            | Self::BadContentLength
            | Self::ConflictingContentLength
            | Self::BodyTooShort => Status::BAD_REQUEST,
        }
    }

    /// The fault in words, fit for a reason phrase.
    pub fn text(self) -> &'static str {
        match self {
            Self::KeepAlive => "Keep-alive",
            Self::MessageTooLarge => "Message Too Large",
            Self::TooManyHeaders => "Too many headers",
            Self::HeaderTooLong => "Header too long",
            Self::UriTooLong => "Request-URI Too Long",
            Self::BadStartLine => "Malformed start line",
            Self::BadRequestLine => "Malformed request line",
            Self::BadRequestUri => "Malformed Request-URI",
            Self::VersionNotSupported => "Version Not Supported",
            Self::BadStatus => "Malformed status code",
            Self::BadHeaderLine => "Malformed header line",
            Self::Unfinished => "No empty line after the headers",
            Self::BadContentLength => "Malformed Content-Length",
            Self::ConflictingContentLength => "Conflicting Content-Length",
            Self::BodyTooShort => "Body shorter than Content-Length",
        }
    }
}

/// The bytes are no SIP message: what is wrong, and where.
#[derive(Debug, Clone)]
pub struct ParseError {
    pub(crate) fault: ParseFault,
    pub(crate) line: usize,
    pub(crate) reply: Option<Box<Response>>,
}

impl ParseError {
    pub(crate) fn new(fault: ParseFault, line: usize) -> Self {
        Self {
            fault,
            line,
            reply: None,
        }
    }

    /// What is wrong.
    pub fn fault(&self) -> ParseFault {
        self.fault
    }

    /// The line of the fault, the start line being 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The response to send, made of what could be read; `None` when the bytes are no request, are
    /// an ACK, or carry no Via to answer to, and so must be dropped.
    pub fn reply(&self) -> Option<Response> {
        self.reply.as_deref().cloned()
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in line {}", self.fault.text(), self.line)
    }
}

impl std::error::Error for ParseError {}

/// Why a well-framed request is refused before anybody acts on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// A header is missing or malformed: 400.
    Header(HeaderError),
    /// RFC 3261 §8.1.1.5: "The method MUST match that of the request." 400.
    CseqMethod,
    /// RFC 3261 §19.1.1: a Request-URI has no headers: 400.
    UriHeaders,
    /// RFC 3261 §10.2: the To of a REGISTER is no SIP URI: 400.
    AddressOfRecord,
    /// RFC 3261 §16.3: Max-Forwards is 0 and the request is not for us: 483.
    TooManyHops,
    /// RFC 3261 §8.2.2.1: the scheme of the Request-URI is not understood: 416.
    Scheme,
    /// RFC 3261 §8.2.1: a known method that is not allowed here: 405.
    MethodNotAllowed,
    /// RFC 3261 §21.5.2: an unknown method: 501.
    MethodUnknown,
    /// RFC 3261 §8.2.2.3: option tags in Require that are not understood: 420.
    Extension(Box<[Box<str>]>),
    /// RFC 3261 §8.2.3: the body's type is not understood: 415.
    MediaType,
    /// RFC 3261 §8.2.3: the body's encoding is not understood: 415.
    ContentEncoding,
    /// RFC 3261 §21.4.7: the sender accepts no body type that the answer could have: 406.
    NotAcceptable,
}

impl Rejected {
    /// The status of the answer.
    pub fn status(&self) -> Status {
        match self {
            Self::Header(_) | Self::CseqMethod | Self::UriHeaders | Self::AddressOfRecord => {
                Status::BAD_REQUEST
            }
            Self::TooManyHops => Status::TOO_MANY_HOPS,
            Self::Scheme => Status::UNSUPPORTED_URI_SCHEME,
            Self::MethodNotAllowed => Status::METHOD_NOT_ALLOWED,
            Self::MethodUnknown => Status::NOT_IMPLEMENTED,
            Self::Extension(_) => Status::BAD_EXTENSION,
            Self::MediaType | Self::ContentEncoding => Status::UNSUPPORTED_MEDIA_TYPE,
            Self::NotAcceptable => Status::NOT_ACCEPTABLE,
        }
    }

    /// A sentence for a Warning header or a log line.
    pub fn reason(&self) -> String {
        self.to_string()
    }

    /// The whole answer to `request`: status, a Warning with the sentence (RFC 3261 §20.43, code
    /// 399), and the headers the status demands (Allow, Unsupported, Accept, …).
    pub fn response(&self, request: &Request, capabilities: &Capabilities<'_>) -> Response {
        let mut response = request.response(self.status());
        self.explain(&mut response.headers, capabilities);
        response
    }

    fn explain(&self, headers: &mut Headers, capabilities: &Capabilities<'_>) {
        match self {
            Self::MethodNotAllowed | Self::MethodUnknown => {
                headers.push(
                    HeaderName::Allow,
                    &join(capabilities.methods.iter().map(Method::as_str)),
                );
            }
            Self::Extension(tags) => {
                headers.push(
                    HeaderName::Unsupported,
                    &join(tags.iter().map(|tag| &**tag)),
                );
            }
            Self::MediaType => {
                headers.push(
                    HeaderName::Accept,
                    &join(capabilities.media_types.iter().copied()),
                );
            }
            Self::ContentEncoding => headers.push(HeaderName::AcceptEncoding, "identity"),
            Self::Header(_)
            | Self::CseqMethod
            | Self::UriHeaders
            | Self::AddressOfRecord
            | Self::TooManyHops
            | Self::Scheme
            | Self::NotAcceptable => {}
        }
        headers.push(HeaderName::Warning, &format!("399 sip \"{self}\""));
    }
}

fn join<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

impl From<HeaderError> for Rejected {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(error) => error.fmt(f),
            Self::CseqMethod => f.write_str("CSeq names another method than the request line"),
            Self::UriHeaders => f.write_str("the Request-URI has headers in it"),
            Self::AddressOfRecord => f.write_str("To is no SIP address of record"),
            Self::TooManyHops => f.write_str("Max-Forwards is used up"),
            Self::Scheme => f.write_str("the scheme of the Request-URI is not supported"),
            Self::MethodNotAllowed => f.write_str("the method is not allowed here"),
            Self::MethodUnknown => f.write_str("the method is not known"),
            Self::Extension(_) => f.write_str("a required extension is not supported"),
            Self::MediaType => f.write_str("the type of the body is not supported"),
            Self::ContentEncoding => f.write_str("the encoding of the body is not supported"),
            Self::NotAcceptable => f.write_str("no acceptable type for the answer's body"),
        }
    }
}

impl std::error::Error for Rejected {}
