//! The query of a request against the parameters of an operation.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    Description, DescriptionError, Exchange, Violation,
    parts::{member, parts},
    pointer::token,
};

/// A parameter of the query.
struct Parameter<'d> {
    name: &'d str,
    is_required: bool,
    style: &'d str,
    explode: bool,
    /// The place of its schema.
    schema: String,
    /// It is JSON as a text.
    is_json: bool,
    /// The types that its schema speaks of; none if it takes anything.
    kinds: BTreeSet<&'d str>,
}

/// One of the query's names and values.
struct Given<'q> {
    form: Form<'q>,
    text: &'q str,
}

/// What a name of the query stands for.
enum Form<'q> {
    /// The parameter: `limit`.
    Whole,
    /// An item of a list: `expand[]`, `expand[0]`.
    Item,
    /// A member of an object: `name` in `filter[name]`.
    Member(&'q str),
}

/// What a parameter's texts may stand for: one of these must be as described.
type Readings = Vec<Value>;

impl Description {
    /// What of a query is not as the parameters at these places have it; the
    /// first of a name counts.
    pub(super) fn query_violations(
        &self,
        places: &[String],
        exchange: &Exchange<'_>,
    ) -> Result<Vec<Violation>, DescriptionError> {
        let mut found = Vec::new();
        let mut parameters: Vec<Parameter<'_>> = Vec::new();
        for list in places {
            for index in 0..self.at(list).as_array().map_or(0, Vec::len) {
                let parameter = self.parameter(format!("{list}/{index}"));
                if let Some(parameter) = parameter
                    && parameters.iter().all(|known| known.name != parameter.name)
                {
                    parameters.push(parameter);
                }
            }
        }
        let mut is_known: Vec<bool> = exchange
            .query
            .iter()
            .map(|(name, _)| self.is_credential(name))
            .collect();
        for parameter in &parameters {
            let mut given = Vec::new();
            for (at, (name, text)) in exchange.query.iter().enumerate() {
                let others = parameters
                    .iter()
                    .filter(|other| other.name != parameter.name);
                let is_free = || others.clone().all(|other| self.form(other, name).is_none());
                let form = self.form(parameter, name).or_else(|| {
                    // An object may take any name that nothing else has.
                    let is_taken = !is_known[at] && self.takes(parameter, name) && is_free();
                    is_taken.then_some(Form::Member(name))
                });
                if let Some(form) = form {
                    is_known[at] = true;
                    given.push(Given { form, text });
                }
            }
            self.parameter_violations(parameter, &given, exchange.untold, &mut found)?;
        }
        let names = exchange.query.iter().map(|(name, _)| name);
        for (name, _) in names.zip(&is_known).filter(|(_, is_known)| !**is_known) {
            let listed = format!("{name}[]");
            let what = if parameters.iter().any(|known| known.name == listed) {
                format!("it takes several values, and must be `{listed}`")
            } else {
                "it is not described".to_owned()
            };
            found.push(Violation::of(part(name), what));
        }
        Ok(found)
    }

    fn parameter(&self, place: String) -> Option<Parameter<'_>> {
        let place = self.follow(place);
        let parameter = self.at(&place);
        if parameter["in"] != "query" {
            return None;
        }
        let is_json = parameter["schema"].is_null() && parameter["content"].is_object();
        let schema = if is_json {
            format!("{place}/content/application~1json/schema")
        } else {
            format!("{place}/schema")
        };
        let style = parameter["style"].as_str().unwrap_or("form");
        Some(Parameter {
            name: parameter["name"].as_str()?,
            is_required: parameter["required"] == true,
            explode: parameter["explode"].as_bool().unwrap_or(style == "form"),
            style,
            kinds: self.kinds(&schema),
            schema,
            is_json,
        })
    }

    /// Whether a credential is described that has this name in queries.
    fn is_credential(&self, name: &str) -> bool {
        let schemes = self.at("/components/securitySchemes").as_object();
        let mut places = schemes
            .into_iter()
            .flat_map(|schemes| schemes.keys())
            .map(|key| self.follow(format!("/components/securitySchemes/{}", token(key))));
        places.any(|place| {
            let scheme = self.at(&place);
            scheme["type"] == "apiKey" && scheme["in"] == "query" && scheme["name"] == name
        })
    }

    /// What a name of the query stands for, if it is one of this parameter's.
    fn form<'n>(&self, parameter: &Parameter<'_>, name: &'n str) -> Option<Form<'n>> {
        let may_be_whole = parameter.kinds.is_empty() || parameter.has_scalar();
        if may_be_whole && name == parameter.name {
            return Some(Form::Whole);
        }
        if parameter.is_deep() {
            let key = name.strip_prefix(parameter.name)?.strip_prefix('[')?;
            let key = key.strip_suffix(']')?;
            let is_index = key.bytes().all(|byte| byte.is_ascii_digit());
            return Some(if parameter.is_list() && is_index {
                Form::Item
            } else {
                Form::Member(key)
            });
        }
        if parameter.is_spread() {
            let place = member(self.at(""), &parameter.schema, name)?;
            let is_named = !place.ends_with("/additionalProperties");
            return is_named.then_some(Form::Member(name));
        }
        (name == parameter.name).then_some(Form::Whole)
    }

    /// Whether a parameter is an object with members of any name, each of them a
    /// parameter of its own.
    fn takes(&self, parameter: &Parameter<'_>, name: &str) -> bool {
        parameter.is_spread() && member(self.at(""), &parameter.schema, name).is_some()
    }

    fn parameter_violations(
        &self,
        parameter: &Parameter<'_>,
        given: &[Given<'_>],
        untold: Option<&str>,
        found: &mut Vec<Violation>,
    ) -> Result<(), DescriptionError> {
        let name = parameter.name;
        if given.is_empty() {
            if parameter.is_required {
                found.push(Violation::of(part(name), "it is missing"));
            }
            return Ok(());
        }
        let is_untold = |given: &Given<'_>| untold.is_some_and(|word| given.text.contains(word));
        if self.at(&parameter.schema).is_null() || given.iter().any(is_untold) {
            return Ok(());
        }
        for readings in self.values(parameter, given) {
            let mut wrong = Vec::new();
            for (attempt, value) in readings.iter().enumerate() {
                let violations =
                    self.requests
                        .violations(&parameter.schema, &part(name), value, untold)?;
                if violations.is_empty() {
                    wrong.clear();
                    break;
                }
                if attempt == 0 {
                    wrong = violations;
                }
            }
            found.extend(wrong);
        }
        let may_repeat = parameter.is_deep()
            || parameter.is_spread()
            || name.ends_with("[]")
            || parameter.is_list() && parameter.explode;
        if given.len() > 1 && !may_repeat {
            found.push(Violation::of(part(name), "it is given twice"));
        }
        Ok(())
    }

    /// The JSON that a parameter's texts stand for.
    fn values(&self, parameter: &Parameter<'_>, given: &[Given<'_>]) -> Vec<Readings> {
        let whole = given
            .iter()
            .filter(|given| matches!(given.form, Form::Whole));
        let whole: Vec<&str> = whole.map(|given| given.text).collect();
        let items = given
            .iter()
            .filter(|given| matches!(given.form, Form::Item));
        let items: Vec<&str> = items.map(|given| given.text).collect();
        let members: Vec<(&str, &str)> = given
            .iter()
            .filter_map(|given| match given.form {
                Form::Member(key) => Some((key, given.text)),
                Form::Whole | Form::Item => None,
            })
            .collect();
        let mut values = self.whole_values(parameter, &whole);
        if !items.is_empty() {
            values.push(self.list_readings(parameter, &items));
        }
        if !members.is_empty() {
            values.push(self.object_readings(parameter, &members));
        }
        values
    }

    /// The JSON of texts that each stand under the parameter's own name.
    fn whole_values(&self, parameter: &Parameter<'_>, texts: &[&str]) -> Vec<Readings> {
        if parameter.is_json {
            let json = |text: &&str| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
            return texts.iter().map(|text| vec![json(text)]).collect();
        }
        let is_several = texts.len() > 1 || !parameter.has_scalar();
        if parameter.is_list() && is_several && !texts.is_empty() {
            let texts: Vec<&str> = match parameter.delimiter() {
                Some(delimiter) => texts.iter().flat_map(|t| t.split(delimiter)).collect(),
                None => texts.to_vec(),
            };
            return vec![self.list_readings(parameter, &texts)];
        }
        if parameter.kinds.contains("object") && !parameter.has_scalar() {
            // Written as one text: whatever the style, it is not looked into.
            return Vec::new();
        }
        // Some describe a list by the type of its elements.
        let several = parameter.name.ends_with("[]");
        let count = if several { texts.len() } else { 1 };
        let first = texts.iter().take(count);
        first.map(|text| readings(text, &parameter.kinds)).collect()
    }

    fn list_readings(&self, parameter: &Parameter<'_>, texts: &[&str]) -> Readings {
        let lists = parts(self.at(""), &parameter.schema);
        let kinds: BTreeSet<&str> = lists
            .iter()
            .flat_map(|list| self.kinds(&format!("{list}/items")))
            .collect();
        let list = |reading: usize| -> Value {
            let items = texts.iter().map(|text| readings(text, &kinds));
            items.map(|mut item| item.swap_remove(reading)).collect()
        };
        vec![list(0), list(1)]
    }

    fn object_readings(&self, parameter: &Parameter<'_>, given: &[(&str, &str)]) -> Readings {
        let object = |reading: usize| {
            let mut members = Map::new();
            for (key, text) in given {
                let place = member(self.at(""), &parameter.schema, key);
                let kinds = place.map(|place| self.kinds(&place)).unwrap_or_default();
                let value = readings(text, &kinds).swap_remove(reading);
                members.insert((*key).to_owned(), value);
            }
            Value::Object(members)
        };
        vec![object(0), object(1)]
    }

    /// The types that a schema speaks of, itself or by its parts.
    fn kinds(&self, schema: &str) -> BTreeSet<&str> {
        let places = parts(self.at(""), schema);
        let kind = |place: &String| {
            let schema = self.at(place);
            let is_object = ["properties", "additionalProperties"]
                .iter()
                .any(|keyword| schema[*keyword].is_object());
            let implied = is_object.then_some("object");
            schema["type"].as_str().or(implied)
        };
        places.iter().filter_map(kind).collect()
    }
}

impl Parameter<'_> {
    fn is_list(&self) -> bool {
        self.kinds.contains("array")
    }

    fn has_scalar(&self) -> bool {
        ["boolean", "integer", "number", "string"]
            .iter()
            .any(|kind| self.kinds.contains(kind))
    }

    /// `filter[name]=ada`.
    fn is_deep(&self) -> bool {
        self.style == "deepObject"
    }

    /// Each property of an object is a parameter of its own.
    fn is_spread(&self) -> bool {
        self.style == "form" && self.explode && self.kinds.contains("object") && !self.is_json
    }

    /// What stands between values in one text.
    fn delimiter(&self) -> Option<char> {
        match self.style {
            _ if self.explode => None,
            "spaceDelimited" => Some(' '),
            "pipeDelimited" => Some('|'),
            _ => Some(','),
        }
    }
}

fn part(name: &str) -> String {
    format!("query parameter `{name}`")
}

/// A text as what its type says, and as the other thing that it may be.
fn readings(text: &str, kinds: &BTreeSet<&str>) -> Readings {
    let own = json!(text);
    let read: Option<Value> = serde_json::from_str(text).ok();
    let scalar = read.filter(|value| value.is_number() || value.is_boolean());
    let scalar = scalar.unwrap_or_else(|| own.clone());
    if kinds.is_empty() || kinds.contains("string") {
        vec![own, scalar]
    } else {
        vec![scalar, own]
    }
}
