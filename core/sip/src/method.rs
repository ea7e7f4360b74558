//! Request methods: RFC 3261 §7.1 and the extensions this crate knows.
//! Methods are compared with case: the grammar of RFC 3261 §25.1 spells them in capitals.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The method of a request, or the method named in a CSeq or Allow header.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method {
            $($(#[$doc])* $variant,)*
            /// A method this crate has no name for; an `Agent` answers 501.
            Other(Box<str>),
        }

        impl Method {
            /// The token as it stands on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for Method {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)*
                    other => Self::Other(other.into()),
                }
            }
        }
    };
}

methods! {
    /// RFC 3261 §13: starts or changes a call.
    Invite = "INVITE",
    /// RFC 3261 §13.2.2.4: confirms the final response to an INVITE.
    Ack = "ACK",
    /// RFC 3261 §15: ends a dialog.
    Bye = "BYE",
    /// RFC 3261 §9: withdraws a pending INVITE.
    Cancel = "CANCEL",
    /// RFC 3261 §10: binds contacts to an address of record.
    Register = "REGISTER",
    /// RFC 3261 §11: asks for capabilities.
    Options = "OPTIONS",
    /// RFC 3262: confirms a reliable provisional response.
    Prack = "PRACK",
    /// RFC 6665: asks for notifications.
    Subscribe = "SUBSCRIBE",
    /// RFC 6665: a notification.
    Notify = "NOTIFY",
    /// RFC 3903: publishes event state.
    Publish = "PUBLISH",
    /// RFC 6086: application data inside a dialog.
    Info = "INFO",
    /// RFC 3515: asks the peer to contact someone.
    Refer = "REFER",
    /// RFC 3428: an instant message.
    Message = "MESSAGE",
    /// RFC 3311: changes a session without touching the INVITE transaction.
    Update = "UPDATE",
}

impl FromStr for Method {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from(text))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
