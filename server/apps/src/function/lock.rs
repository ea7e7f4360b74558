//! `LOCK`, `TRYLOCK`, `UNLOCK`: so that two calls do not do the same at once.

use switch::Function;

/// Takes a lock; the step waits until it is free.
pub(crate) static LOCK: Function = Function {
    name: "LOCK",
    synopsis: "Takes a lock once no other channel has it: 1; 0 if that lasts 3 seconds and the channel has one already. \
               It is given back by UNLOCK or with the end of the call",
    // The step has waited for it before its text was read.
    read: |call, name| Some(u8::from(call.try_lock(name.trim())).to_string()),
    write: None,
};

/// Takes a lock if it is free.
pub(crate) static TRY_LOCK: Function = Function {
    name: "TRYLOCK",
    synopsis: "Takes a lock: 1; 0 if another channel has it",
    read: |call, name| Some(u8::from(call.try_lock(name.trim())).to_string()),
    write: None,
};

/// Gives a lock back.
pub(crate) static UNLOCK: Function = Function {
    name: "UNLOCK",
    synopsis: "Gives a lock back: 1; 0 if the channel has none of this name",
    read: |call, name| Some(u8::from(call.unlock(name.trim())).to_string()),
    write: None,
};
