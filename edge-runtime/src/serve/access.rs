//! Who may ask.

use hyper::header::{AUTHORIZATION, HOST, HeaderMap};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::ServeSettings;
use super::answer::Refusal;
use crate::error::RuntimeError;

/// Who may ask for poses.
#[derive(Debug)]
pub struct Access {
    /// Digest of the token, so that comparing takes the same time for tokens of all lengths.
    token: Option<[u8; 32]>,
    /// Requests must name this machine as their host.
    local: bool,
}

impl Access {
    /// The rules that the settings make.
    ///
    /// # Errors
    /// An address that other machines reach, without a token and without being told that this is
    /// wanted; a token that no header can carry.
    pub fn new(settings: &ServeSettings) -> Result<Access, RuntimeError> {
        let local = settings.listen.ip().is_loopback();
        if let Some(token) = &settings.token
            && (token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()))
        {
            return Err(RuntimeError::Usage(
                "the token must be one or more visible ASCII characters without spaces".into(),
            ));
        }
        if !local && settings.token.is_none() && !settings.insecure {
            return Err(RuntimeError::Usage(format!(
                "other machines reach {}: give a token (--token-file FILE), or --insecure to let \
                 everybody in",
                settings.listen
            )));
        }
        Ok(Access {
            token: settings.token.as_ref().map(|token| digest(token)),
            local: local && !settings.insecure,
        })
    }

    /// Whether the host that a request names is this machine. A web page that has its own name
    /// resolved to this machine's address is found out by it ("DNS rebinding").
    ///
    /// # Errors
    /// A host that is not.
    pub fn host(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if !self.local {
            return Ok(());
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let name = host.map(without_port).unwrap_or_default();
        let is_loopback = |name: &str| {
            let address = name.trim_start_matches('[').trim_end_matches(']');
            let address: Option<std::net::IpAddr> = address.parse().ok();
            address.is_some_and(|address| address.is_loopback())
        };
        if name.eq_ignore_ascii_case("localhost") || is_loopback(name) {
            return Ok(());
        }
        Err(Refusal::forbidden(
            "this server answers requests to localhost and 127.0.0.1 only",
        ))
    }

    /// Whether a request carries the token.
    ///
    /// # Errors
    /// A missing or wrong token.
    pub fn token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(wanted) = &self.token else {
            return Ok(());
        };
        let given = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| digest(token.trim()));
        match given {
            Some(given) if bool::from(given.ct_eq(wanted)) => Ok(()),
            _ => Err(Refusal::unauthorized()),
        }
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A host without its port: `[::1]:80` is `[::1]`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(settings: &ServeSettings) -> Access {
        Access::new(settings).unwrap()
    }

    fn headers(name: hyper::header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn other_machines_need_a_token_or_a_clear_word() {
        let open = ServeSettings {
            listen: ([0, 0, 0, 0], 0).into(),
            ..ServeSettings::default()
        };
        let error = Access::new(&open).unwrap_err().to_string();
        assert!(
            error.contains("--token") && error.contains("--insecure"),
            "{error}"
        );
        for token in ["", "two words", "naïve"] {
            let settings = ServeSettings {
                token: Some(token.into()),
                ..open.clone()
            };
            assert!(Access::new(&settings).is_err(), "{token:?}");
        }
        let settings = ServeSettings {
            token: Some("secret".into()),
            ..open
        };
        let access = access(&settings);
        for (value, good) in [
            ("Bearer secret", true),
            ("bearer  secret", true),
            ("Bearer secre", false),
            ("Bearer secrets", false),
            ("Bearer", false),
            ("Basic secret", false),
            ("secret", false),
        ] {
            let given = headers(AUTHORIZATION, value);
            assert_eq!(access.token(&given).is_ok(), good, "{value}");
        }
        assert!(access.token(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_local_server_answers_to_its_own_names() {
        let access = access(&ServeSettings::default());
        for (host, good) in [
            ("localhost:8080", true),
            ("LOCALHOST", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("example.org", false),
            ("example.org:8080", false),
            ("127.0.0.1.example.org", false),
            ("localhost.example.org", false),
        ] {
            assert_eq!(access.host(&headers(HOST, host)).is_ok(), good, "{host}");
        }
        assert!(access.host(&HeaderMap::new()).is_err());
    }
}
