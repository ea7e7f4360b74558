//! `TIMEOUT(absolute|digit|response)`.

use std::time::Duration;

use switch::{Channel, Function, SetError};

use super::items::unknown;

/// Reads and sets how long a caller may take, in seconds.
pub(crate) static TIMEOUT: Function = Function {
    name: "TIMEOUT",
    synopsis: "How long a call may last, and a caller may take to dial: absolute, digit, response",
    read,
    write: Some(write),
};

/// One of the three.
enum Which {
    Absolute,
    Digit,
    Response,
}

impl Which {
    /// Asterisk looks at the first letter alone.
    fn parse(name: &str) -> Option<Self> {
        match name.trim().chars().next()?.to_ascii_lowercase() {
            'a' => Some(Self::Absolute),
            'd' => Some(Self::Digit),
            'r' => Some(Self::Response),
            _ => None,
        }
    }

    /// Says so if it is named by its first letter alone: that may be an error in writing.
    fn is_named(&self, call: &Channel, name: &str) {
        let (name, own) = (name.trim(), self.as_str());
        if !name.eq_ignore_ascii_case(own) {
            call.warn(format_args!(
                "TIMEOUT({name}) is taken for TIMEOUT({own}); write it so"
            ));
        }
    }

    fn as_str(&self) -> &'static str {
        match self {
            Self::Absolute => "absolute",
            Self::Digit => "digit",
            Self::Response => "response",
        }
    }
}

fn read(call: &Channel, name: &str) -> Option<String> {
    let Some(which) = Which::parse(name) else {
        return unknown(call, "TIMEOUT", name);
    };
    which.is_named(call, name);
    let timeout = match which {
        Which::Absolute => match call.absolute_timeout() {
            Some(left) => left,
            None => return Some("0".to_owned()),
        },
        Which::Digit => call.digit_timeout(),
        Which::Response => call.response_timeout(),
    };
    Some(format!("{:.3}", timeout.as_secs_f64()))
}

fn write(call: &mut Channel, name: &str, value: &str) -> Result<(), SetError> {
    let which = Which::parse(name).ok_or(SetError::Item)?;
    which.is_named(call, name);
    let seconds: f64 = value.trim().parse().map_err(|_| SetError::Value)?;
    let timeout = Duration::try_from_secs_f64(seconds).map_err(|_| SetError::Value)?;
    match which {
        Which::Absolute => {
            call.set_absolute_timeout((!timeout.is_zero()).then_some(timeout));
        }
        Which::Digit => call.set_digit_timeout(timeout),
        Which::Response => call.set_response_timeout(timeout),
    }
    Ok(())
}
