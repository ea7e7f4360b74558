//! One file per dial plan application and function.
