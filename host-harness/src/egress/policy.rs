//! What may leave: declared by the connector, granted by the operator, and
//! within the level of the capability. Pure; knows neither wasm nor sockets.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::origin::Origin;

/// What a capability or a request does to the vendor's data.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Looks.
    Read,
    /// Changes.
    Write,
}

/// What the operator allows, whatever the connector asks for.
#[derive(Clone, Debug)]
pub struct Grant {
    origins: BTreeSet<Origin>,
    private: BTreeSet<Origin>,
    level: Level,
}

impl Grant {
    /// Reads, from nowhere yet: add origins with [`Grant::origin`].
    pub fn read_only() -> Self {
        Self {
            origins: BTreeSet::new(),
            private: BTreeSet::new(),
            level: Level::Read,
        }
    }

    /// Reads and writes, from nowhere yet.
    pub fn read_write() -> Self {
        Self {
            level: Level::Write,
            ..Self::read_only()
        }
    }

    /// Allows requests, and thereby the credential, to `origin`.
    ///
    /// An origin that names a loopback host or any literal address reaches
    /// just that; a name reaches public addresses only, unless
    /// [`Grant::private_network`] says otherwise.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origins.insert(origin);
        self
    }

    /// Allows `origin` also where its name resolves to a private address.
    #[must_use]
    pub fn private_network(mut self, origin: Origin) -> Self {
        self.private.insert(origin.clone());
        self.origin(origin)
    }

    /// The same without writes.
    pub(crate) fn without_writes(self) -> Self {
        Self {
            level: Level::Read,
            ..self
        }
    }

    /// The highest level that is granted.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The granted origins, in order.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.origins.iter()
    }

    /// Whether both lead to the same places.
    pub(crate) fn reaches_as(&self, other: &Self) -> bool {
        self.origins == other.origins && self.private == other.private
    }

    /// Whether `origin` may be reached at a private address.
    pub(crate) fn reaches_private(&self, origin: &Origin) -> bool {
        self.private.contains(origin)
            || (self.origins.contains(origin)
                && (origin.is_loopback() || origin.address().is_some()))
    }
}

/// A request path with placeholders: in `/users/{id}`, `{id}` is one segment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathTemplate {
    text: String,
    /// `None` stands for a placeholder.
    segments: Vec<Option<String>>,
}

impl PathTemplate {
    /// Parses a template; `None` if it is not an absolute path or has an
    /// incomplete placeholder.
    pub fn parse(text: &str) -> Option<Self> {
        let mut segments = Vec::new();
        for segment in text.strip_prefix('/')?.split('/') {
            segments.push(
                match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                    Some(name) if !name.is_empty() && !name.contains(['{', '}']) => None,
                    Some(_) => return None,
                    None if segment.contains(['{', '}', '?', '#']) => return None,
                    None if is_traversal(segment) => return None,
                    None => Some(segment.to_owned()),
                },
            );
        }
        Some(Self {
            text: text.to_owned(),
            segments,
        })
    }

    /// Whether `path` has this shape. A placeholder takes one segment that is
    /// not empty and does not stand for another path when somebody decodes it.
    pub fn matches(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else {
            return false;
        };
        let mut actual = path.split('/');
        self.segments.iter().all(|segment| {
            actual.next().is_some_and(|text| match segment {
                Some(literal) => literal == text,
                None => !text.is_empty() && !is_traversal(text),
            })
        }) && actual.next().is_none()
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a segment means another place once it is decoded: `..`, `%2e`, an
/// encoded slash or backslash, or an encoded percent sign that hides one.
fn is_traversal(segment: &str) -> bool {
    let lower = segment.to_ascii_lowercase();
    let undotted = lower.replace("%2e", ".");
    undotted == "."
        || undotted == ".."
        || ["%2f", "%5c", "%25", "%00", "\\"]
            .iter()
            .any(|encoded| lower.contains(encoded))
}

/// A request that the connector declared.
#[derive(Clone, Debug)]
pub struct Rule {
    /// In upper case.
    pub method: String,
    /// The shape of the path.
    pub path: PathTemplate,
    /// What it does.
    pub level: Level,
}

/// What one capability declared.
#[derive(Clone, Debug)]
pub struct CapabilityRules {
    /// What it does as a whole.
    pub level: Level,
    /// The only requests it may make.
    pub rules: Vec<Rule>,
}

/// Why a declaration makes no sense. The connector is refused as a whole.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeclarationError {
    /// A method that is no method.
    #[error("capability `{capability}` declares the method `{method}`")]
    Method {
        /// Which capability.
        capability: String,
        /// What it says.
        method: String,
    },
    /// A path that is no template.
    #[error("capability `{capability}` declares the path `{path}`, which is no template")]
    Path {
        /// Which capability.
        capability: String,
        /// What it says.
        path: String,
    },
    /// A change that is called a read.
    #[error("capability `{capability}` calls `{method} {path}` a read")]
    ReadThatChanges {
        /// Which capability.
        capability: String,
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// A read capability that declares a change.
    #[error("capability `{capability}` is a read, and declares the change `{method} {path}`")]
    WriteInRead {
        /// Which capability.
        capability: String,
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// Declared twice.
    #[error("capability `{0}` is declared twice")]
    Twice(String),
}

/// One capability as the connector declares it, not yet believed.
#[derive(Clone, Debug)]
pub struct DeclaredCapability {
    /// `interface.function`.
    pub name: String,
    /// What it does.
    pub level: Level,
    /// Method, path template, level.
    pub requests: Vec<(String, String, Level)>,
}

/// Every capability's rules.
#[derive(Clone, Debug, Default)]
pub struct Declaration {
    capabilities: BTreeMap<String, CapabilityRules>,
}

impl Declaration {
    /// Checks what a connector declares.
    pub fn new(
        declared: impl IntoIterator<Item = DeclaredCapability>,
    ) -> Result<Self, DeclarationError> {
        let mut capabilities = BTreeMap::new();
        for capability in declared {
            let name = capability.name;
            let mut rules = Vec::with_capacity(capability.requests.len());
            for (method, path, level) in capability.requests {
                match (method.as_str(), level) {
                    ("GET" | "HEAD" | "POST", _) | ("PUT" | "PATCH" | "DELETE", Level::Write) => {}
                    ("PUT" | "PATCH" | "DELETE", Level::Read) => {
                        return Err(DeclarationError::ReadThatChanges {
                            capability: name,
                            method,
                            path,
                        });
                    }
                    _ => {
                        return Err(DeclarationError::Method {
                            capability: name,
                            method,
                        });
                    }
                }
                if level > capability.level {
                    return Err(DeclarationError::WriteInRead {
                        capability: name,
                        method,
                        path,
                    });
                }
                let Some(template) = PathTemplate::parse(&path) else {
                    return Err(DeclarationError::Path {
                        capability: name,
                        path,
                    });
                };
                rules.push(Rule {
                    method,
                    path: template,
                    level,
                });
            }
            let rules = CapabilityRules {
                level: capability.level,
                rules,
            };
            if capabilities.insert(name.clone(), rules).is_some() {
                return Err(DeclarationError::Twice(name));
            }
        }
        Ok(Self { capabilities })
    }

    /// What `capability` declared, if it did.
    pub fn capability(&self, capability: &str) -> Option<&CapabilityRules> {
        self.capabilities.get(capability)
    }
}

/// What of a request matters to policy.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    /// `interface.function` of the call that makes it.
    pub capability: &'a str,
    /// In upper case.
    pub method: &'a str,
    /// Where to.
    pub origin: &'a Origin,
    /// Without the query, still percent-encoded.
    pub path: &'a str,
}

/// A request that does not leave, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// The capability is not in the connector's declaration.
    #[error("`{0}` is not declared by the connector")]
    Capability(String),
    /// The operator did not grant that origin.
    #[error("the origin `{0}` is not granted")]
    Origin(Origin),
    /// The capability did not declare that request.
    #[error("`{capability}` did not declare `{method} {path}`")]
    Request {
        /// Which capability.
        capability: String,
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// The operator granted reads only.
    #[error("`{method} {path}` changes data, and only reads are granted")]
    Level {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// The name leads to an address that a connector may not reach.
    #[error("`{host}` resolves to {address} ({why}), which is not granted")]
    Address {
        /// The name.
        host: String,
        /// The address.
        address: std::net::IpAddr,
        /// What kind of address it is.
        why: &'static str,
    },
    /// The connector set a header that is the host's: one that carries a
    /// credential, frames the message, or turns a method into another.
    #[error("`{capability}` sets the header `{name}`")]
    Header {
        /// Which capability.
        capability: String,
        /// In lower case.
        name: String,
    },
}

impl Denial {
    /// A stable word for the rule that was broken, for logs and counters.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Capability(_) => "declared-capability",
            Self::Origin(_) => "granted-origin",
            Self::Request { .. } => "declared-request",
            Self::Level { .. } => "granted-level",
            Self::Address { .. } => "public-address",
            Self::Header { .. } => "host-header",
        }
    }

    /// How to grant it, or whose it is to mend.
    pub fn hint(&self) -> String {
        match self {
            Self::Capability(_) | Self::Request { .. } => {
                "the connector must list it in `metadata.describe`".to_owned()
            }
            Self::Origin(origin) => format!("grant it with `--grant {origin}` if you trust it"),
            Self::Level { .. } => "use the command that is made for the change, or `--allow-writes`; a program opens the \
                 tenant with `Grant::read_write`"
                    .to_owned(),
            Self::Address { .. } => {
                "grant the origin as part of a private network if that is meant".to_owned()
            }
            Self::Header { .. } => {
                "the connector must leave it out: the host adds the credential and what the protocol needs"
                    .to_owned()
            }
        }
    }
}

/// Declared and granted, put together: what one tenant's calls may do.
#[derive(Clone, Debug)]
pub struct Policy {
    declaration: Declaration,
    grant: Grant,
}

impl Policy {
    /// Puts the two sides together.
    pub fn new(declaration: Declaration, grant: Grant) -> Self {
        Self { declaration, grant }
    }

    /// What the operator allows.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The rule that lets the request out, or why it stays.
    pub fn decide(&self, request: RequestLine<'_>) -> Result<&Rule, Denial> {
        let Some(capability) = self.declaration.capability(request.capability) else {
            return Err(Denial::Capability(request.capability.to_owned()));
        };
        if !self.grant.origins.contains(request.origin) {
            return Err(Denial::Origin(request.origin.clone()));
        }
        // Where several rules match, the most powerful one decides.
        let matching = capability
            .rules
            .iter()
            .filter(|rule| rule.method == request.method && rule.path.matches(request.path))
            .max_by_key(|rule| rule.level);
        let Some(rule) = matching else {
            return Err(Denial::Request {
                capability: request.capability.to_owned(),
                method: request.method.to_owned(),
                path: request.path.to_owned(),
            });
        };
        if rule.level > self.grant.level {
            return Err(Denial::Level {
                method: request.method.to_owned(),
                path: request.path.to_owned(),
            });
        }
        Ok(rule)
    }
}
