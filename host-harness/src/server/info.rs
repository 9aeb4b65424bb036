//! What a connector is, as platforms ask for it.

use serde_json::{Map, Value, json};

use super::{
    call::{Call, Outcome},
    capability::{self, Capability},
    openapi,
};
use crate::{
    Connector,
    contract::metadata::{self, AuthScheme, Descriptor},
};

pub(super) fn info(call: &Call<'_>) -> Outcome {
    Outcome::of(info_json(call.connector, call.connector_id))
}

pub(super) fn app_info(call: &Call<'_>) -> Outcome {
    Outcome::of(json!({
        "app_id": call.connector_id,
        "app_schema": openapi::document([(call.connector_id, call.connector)]),
    }))
}

fn info_json(connector: &Connector, id: &str) -> Value {
    let descriptor = connector.descriptor();
    let offered: Vec<&Capability> = capability::ALL
        .iter()
        .filter(|capability| capability.is_offered(connector))
        .collect();
    let names: Vec<&str> = offered.iter().map(|capability| capability.name).collect();
    let schemas: Map<String, Value> = offered
        .iter()
        .map(|capability| {
            let schema = json!({
                "argument": openapi::whole_schema(capability.request, false),
                "output": openapi::whole_schema(capability.response, capability.is_list),
                "display_name": capability.name,
                "description": capability.summary,
            });
            (capability.name.to_owned(), schema)
        })
        .collect();
    let scopes: Map<String, Value> = offered
        .iter()
        .filter_map(|capability| {
            Some((capability.name.to_owned(), scopes(descriptor, capability)?))
        })
        .collect();
    json!({
        "app_id": id,
        "app_vendor_domain": descriptor.vendor_domain,
        "version": descriptor.version,
        "user_friendly_name": descriptor.display_name,
        "description": descriptor.description,
        "capabilities": names,
        "capability_schema": schemas,
        "oauth_scopes": scopes,
        "authentication_schema": openapi::whole_schema("AuthCredential", false),
        "credentials_schema": credentials(descriptor),
        "entitlement_types": descriptor.entitlement_types.iter().map(entitlement_type).collect::<Value>(),
        "resource_types": descriptor.resource_types.iter().map(|kind| {
            json!({"type_id": kind.id, "type_label": kind.label})
        }).collect::<Value>(),
        "request_settings_schema": serde_json::from_str::<Value>(&descriptor.settings_schema)
            .unwrap_or_else(|_| json!({"type": "object"})),
    })
}

/// What the functions that a capability uses need, space-delimited.
fn scopes(descriptor: &Descriptor, capability: &Capability) -> Option<Value> {
    let mut scopes: Vec<&str> = descriptor
        .capabilities
        .iter()
        .filter(|declared| capability.functions().contains(&declared.name.as_str()))
        .flat_map(|declared| declared.scopes.iter().map(String::as_str))
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    (!scopes.is_empty()).then(|| json!(scopes.join(" ")))
}

fn entitlement_type(declared: &metadata::EntitlementType) -> Value {
    let mut json = json!({
        "type_id": declared.id,
        "type_label": declared.label,
        "resource_type_id": declared.resource_type,
        "min": declared.min,
    });
    if let Some(max) = declared.max {
        json["max"] = json!(max);
    }
    json
}

fn credentials(descriptor: &Descriptor) -> Value {
    descriptor
        .auth_schemes
        .iter()
        .map(|scheme| match scheme {
            AuthScheme::Header(header) => json!({
                "id": header.id,
                "name": header.label,
                "type": kind_of(&header.template),
                "schema": openapi::whole_schema("AuthCredential", false),
            }),
            AuthScheme::Oauth2(scheme) => json!({
                "id": scheme.id,
                "name": scheme.label,
                "type": "oauth",
                "authorization_url": scheme.authorize_url,
                "token_url": scheme.token_url,
                "pkce": scheme.pkce,
                "scopes": scheme.scopes,
                "write_scopes": scheme.write_scopes,
                "flows": scheme.flows.iter().map(|flow| match flow {
                    metadata::Oauth2Flow::AuthorizationCode => "CODE_FLOW",
                    metadata::Oauth2Flow::ClientCredentials => "CLIENT_CREDENTIALS",
                }).collect::<Vec<_>>(),
                "schema": openapi::whole_schema("AuthCredential", false),
            }),
        })
        .collect()
}

/// Which of the wire's credentials a header scheme takes.
fn kind_of(template: &str) -> &'static str {
    if template.eq_ignore_ascii_case("Bearer {secret}") {
        "oauth"
    } else if template.eq_ignore_ascii_case("Basic {secret}") {
        "basic"
    } else {
        "token"
    }
}
