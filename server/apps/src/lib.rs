//! One file per dial plan application and function.

use switch::{Application, Function};

/// Every application of the dial plan.
pub static APPLICATIONS: &[&Application] = &[];

/// Every function of the dial plan.
pub static FUNCTIONS: &[&Function] = &[];
