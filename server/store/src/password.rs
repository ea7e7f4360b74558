//! What the settings of a server leave elsewhere: its password, and files of certificates.

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
            Err(error) => Err(StoreError::Settings(format!(
                "the file {path} with the password of the database cannot be read: {error}"
            ))),
        },
        Password::Environment(name) => match std::env::var(name) {
            Ok(value) => Ok(Some(Secret::new(value))),
            Err(_) => Err(StoreError::Settings(format!(
                "the environment variable {name}, which should hold the password of the database, \
                 is not set"
            ))),
        },
    }
}

/// Sees that the files of certificates are there: the drivers would say that a file is missing, and not
/// which.
pub(crate) fn certificates_are_there(server: &Server) -> Result<(), StoreError> {
    let tls = &server.tls;
    for (option, file) in [
        ("ca_file", &tls.ca_file),
        ("certificate", &tls.certificate),
        ("private_key", &tls.private_key),
    ] {
        if let Some(file) = file
            && let Err(error) = std::fs::File::open(file)
        {
            return Err(StoreError::Settings(format!(
                "the {option} {file} of the database cannot be read: {error}"
            )));
        }
    }
    Ok(())
}
