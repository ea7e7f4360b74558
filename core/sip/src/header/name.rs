//! Header names: known ones are an enum, compact forms map to the full name (RFC 3261 §7.3.3),
//! unknown ones keep their spelling.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

macro_rules! names {
    ($($variant:ident = $text:literal $(/ $compact:literal)?,)*) => {
        /// The name of a header field. Compared without case.
        #[derive(Debug, Clone)]
        #[expect(missing_docs, reason = "each variant is the header of that name")]
        pub enum HeaderName {
            $($variant,)*
            /// A name this crate does not know, spelled as it came.
            Other(Box<str>),
        }

        impl HeaderName {
            /// The full name, spelled as its RFC spells it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }

            fn known(text: &str) -> Option<Self> {
                const KNOWN: &[(&str, HeaderName)] = &[$(($text, HeaderName::$variant),)*];
                if let [letter] = text.as_bytes() {
                    return match letter.to_ascii_lowercase() {
                        $($($compact => Some(Self::$variant),)?)*
                        _ => None,
                    };
                }
                KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(text)).map(|(_, name)| name.clone())
            }
        }
    };
}

names! {
    Via = "Via" / b'v',
    From = "From" / b'f',
    To = "To" / b't',
    CallId = "Call-ID" / b'i',
    CSeq = "CSeq",
    Contact = "Contact" / b'm',
    ContentLength = "Content-Length" / b'l',
    ContentType = "Content-Type" / b'c',
    MaxForwards = "Max-Forwards",
    Route = "Route",
    RecordRoute = "Record-Route",
    Allow = "Allow",
    Supported = "Supported" / b'k',
    Require = "Require",
    Unsupported = "Unsupported",
    UserAgent = "User-Agent",
    Server = "Server",
    Expires = "Expires",
    Authorization = "Authorization",
    WwwAuthenticate = "WWW-Authenticate",
    ProxyAuthorization = "Proxy-Authorization",
    ProxyAuthenticate = "Proxy-Authenticate",
    AuthenticationInfo = "Authentication-Info",
    ProxyRequire = "Proxy-Require",
    SessionExpires = "Session-Expires" / b'x',
    MinSe = "Min-SE",
    MinExpires = "Min-Expires",
    Accept = "Accept",
    AcceptContact = "Accept-Contact" / b'a',
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    AlertInfo = "Alert-Info",
    AllowEvents = "Allow-Events" / b'u',
    CallInfo = "Call-Info",
    ContentDisposition = "Content-Disposition",
    ContentEncoding = "Content-Encoding" / b'e',
    ContentLanguage = "Content-Language",
    Date = "Date",
    ErrorInfo = "Error-Info",
    Event = "Event" / b'o',
    Identity = "Identity" / b'y',
    IdentityInfo = "Identity-Info" / b'n',
    InReplyTo = "In-Reply-To",
    Join = "Join",
    MimeVersion = "MIME-Version",
    Organization = "Organization",
    PAssertedIdentity = "P-Asserted-Identity",
    PPreferredIdentity = "P-Preferred-Identity",
    Path = "Path",
    Priority = "Priority",
    Privacy = "Privacy",
    RAck = "RAck",
    RSeq = "RSeq",
    Reason = "Reason",
    ReferSub = "Refer-Sub",
    ReferTo = "Refer-To" / b'r',
    ReferredBy = "Referred-By" / b'b',
    RejectContact = "Reject-Contact" / b'j',
    RemotePartyId = "Remote-Party-ID",
    Replaces = "Replaces",
    ReplyTo = "Reply-To",
    RequestDisposition = "Request-Disposition" / b'd',
    RetryAfter = "Retry-After",
    ServiceRoute = "Service-Route",
    SipEtag = "SIP-ETag",
    SipIfMatch = "SIP-If-Match",
    Subject = "Subject" / b's',
    SubscriptionState = "Subscription-State",
    Timestamp = "Timestamp",
    Warning = "Warning",
}

impl HeaderName {
    /// May the header stand more than once, with its values joined by commas?
    /// RFC 3261 §7.3.1: only when its grammar is a comma-separated list.
    pub(crate) fn is_single(&self) -> bool {
        matches!(
            self,
            Self::From
                | Self::To
                | Self::CallId
                | Self::CSeq
                | Self::ContentLength
                | Self::ContentType
                | Self::MaxForwards
                | Self::Expires
                | Self::MinExpires
                | Self::SessionExpires
                | Self::MinSe
                | Self::Date
                | Self::Event
                | Self::RAck
                | Self::RSeq
                | Self::ReferTo
                | Self::Replaces
                | Self::RetryAfter
                | Self::SubscriptionState
                | Self::Timestamp
        )
    }
}

impl From<&str> for HeaderName {
    fn from(text: &str) -> Self {
        Self::known(text).unwrap_or_else(|| Self::Other(text.into()))
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Other(a), Self::Other(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }
}

impl Eq for HeaderName {}

impl PartialOrd for HeaderName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for HeaderName {
    fn cmp(&self, other: &Self) -> Ordering {
        let lower = |name: &'_ Self| name.as_str().to_ascii_lowercase();
        lower(self).cmp(&lower(other))
    }
}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.as_str().bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
