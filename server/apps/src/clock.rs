//! The time of day, for what depends on it.

pub(crate) use switch::time_of_day as now;
