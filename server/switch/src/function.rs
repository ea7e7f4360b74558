//! What a dial plan function is: `${CALLERID(num)}`, `Set(GLOBAL(x)=1)`.

use crate::channel::Channel;
use crate::variables::SetError;

/// One function of the dial plan.
pub struct Function {
    /// The name in the dial plan, compared with case as in Asterisk.
    pub name: &'static str,
    /// What it tells, in a few words.
    pub synopsis: &'static str,
    /// Reads it; the second argument is what stands in the parentheses.
    pub read: Read,
    /// Sets it, if it can be set.
    pub write: Option<Write>,
}

/// Reads a function; `None` if its arguments mean nothing.
pub type Read = fn(&Channel, &str) -> Option<String>;

/// Sets a function: arguments, then the value.
pub type Write = fn(&mut Channel, &str, &str) -> Result<(), SetError>;

/// Functions that do more than read: whoever means them writes them into the dial plan. No text that came by a call makes
/// them act, and none is read twice.
pub const ACTING: [&str; 12] = [
    "SET",
    "EVAL",
    "DB_DELETE",
    "INC",
    "DEC",
    "SHIFT",
    "POP",
    "PUSH",
    "UNSHIFT",
    "LOCK",
    "TRYLOCK",
    "UNLOCK",
];
