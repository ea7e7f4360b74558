//! The password of a database: written, in a file, or in the environment.

use crate::StoreError;
use config::{Password, Secret, Server};

/// The password of the server, if it has one.
pub(crate) fn of(server: &Server) -> Result<Option<Secret>, StoreError> {
    match &server.password {
        Password::None => Ok(None),
        Password::Written(secret) => Ok(Some(secret.clone())),
        Password::File(path) => match std::fs::read_to_string(path) {
            Ok(text) => {
                let line = text.lines().next().unwrap_or_default();
                Ok(Some(Secret::new(line.trim_end())))
            }
            Err(error) => Err(StoreError::Password(format!(
                "the file {path} with the password of the database cannot be read: {error}"
            ))),
        },
        Password::Environment(name) => match std::env::var(name) {
            Ok(value) => Ok(Some(Secret::new(value))),
            Err(_) => Err(StoreError::Password(format!(
                "the environment variable {name}, which should hold the password of the database, \
                 is not set"
            ))),
        },
    }
}
