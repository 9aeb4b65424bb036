//! Where a request goes: scheme, host and port.

use std::{fmt, net::IpAddr, str::FromStr};

use url::{Host, Url};

use crate::spans::Place;

/// Scheme, host and port, as in `https://api.pagerduty.com`.
///
/// Parsed strictly: no path, no query, no user, and plain http only for a
/// loopback host.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

/// How a request travels.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Scheme {
    /// In the clear. Only ever to a loopback host.
    Http,
    /// Over TLS.
    Https,
}

/// Why a text is not an origin.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// Not a URL at all.
    #[error("`{0}` is not a URL")]
    NotAUrl(String),
    /// Neither http nor https.
    #[error("`{0}` does not start with `https://` or `http://`")]
    Scheme(String),
    /// More than an origin.
    #[error("`{0}` has a path, a query or a user in it")]
    MoreThanAnOrigin(String),
    /// Plain http to somewhere else.
    #[error("`{0}` would send the credential in the clear")]
    Insecure(String),
}

impl OriginError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotAUrl(_) | Self::Scheme(_) => {
                "write scheme, host and port, for example `https://api.pagerduty.com`"
            }
            Self::MoreThanAnOrigin(_) => {
                "stop after host and port: the connector adds the paths itself"
            }
            Self::Insecure(_) => "use https; plain http is for loopback hosts only",
        }
    }
}

impl Origin {
    /// Where a request that is about to leave goes. Anything but http is https:
    /// `wasi:http` lets nothing else through.
    pub(crate) fn of(uri: &http::Uri) -> Self {
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            _ => Scheme::Https,
        };
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Self::from_parts(
            scheme,
            host,
            uri.port_u16().unwrap_or(scheme.default_port()),
        )
    }

    /// From its parts. The host of an IPv6 address goes without brackets.
    pub fn from_parts(scheme: Scheme, host: &str, port: u16) -> Self {
        Self {
            scheme,
            host: host.trim_end_matches('.').to_ascii_lowercase(),
            port,
        }
    }

    /// Scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host in lower case, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port, also where it is the scheme's own.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// For the span of a request.
    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            scheme: self.scheme.as_str(),
            host: &self.host,
            port: self.port,
        }
    }

    /// Whether the host is this machine by name or by address.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.address().is_some_and(|address| address.is_loopback())
    }

    /// The host, where it is an address and not a name.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl Scheme {
    /// The port that goes without saying.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// As it is written in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let url = Url::parse(text).map_err(|_| OriginError::NotAUrl(text.to_owned()))?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(OriginError::Scheme(text.to_owned())),
        };
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            return Err(OriginError::MoreThanAnOrigin(text.to_owned()));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(OriginError::NotAUrl(text.to_owned())),
        };
        let origin = Self {
            scheme,
            host,
            port: url.port().unwrap_or(scheme.default_port()),
        };
        if scheme == Scheme::Http && !origin.is_loopback() {
            return Err(OriginError::Insecure(text.to_owned()));
        }
        Ok(origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.as_str())?;
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}
