//! `ENV(name)`: what the program was started with.

use switch::Function;

/// A variable of the program's environment.
pub(crate) static ENV: Function = Function {
    name: "ENV",
    synopsis: "A variable of the environment the exchange was started in; it cannot be set, for no program is run by a \
               dial plan",
    read: |_, name| std::env::var(name.trim()).ok(),
    write: None,
};
