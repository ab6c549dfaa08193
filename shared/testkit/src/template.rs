//! Reads template.yaml.

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value};

use crate::payload::root;

/// Returns the template as JSON. A tag such as `!Ref x` becomes `{"!Ref": "x"}`.
pub fn template() -> Value {
    let text = text();
    let documents = Yaml::load_from_str(&text).expect("template.yaml is YAML");
    json_of(&documents[0])
}

/// Returns the text of the template.
pub fn text() -> String {
    std::fs::read_to_string(root().join("template.yaml")).expect("template.yaml can be read")
}

/// Returns the logical ids and properties of the functions, in the template's order.
pub fn functions(template: &Value) -> Vec<(String, Value)> {
    let resources = template["Resources"].as_object().expect("a template has resources");
    let functions = resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function");
    functions.map(|(name, resource)| (name.clone(), resource["Properties"].clone())).collect()
}

/// Returns the name of a function, which is the name of its code folder.
pub fn name_of(properties: &Value) -> &str {
    let path = properties["CodeUri"].as_str().expect("a function has a code folder");
    path.rsplit('/').next().unwrap_or_default()
}

/// Returns the name of a function's log group, which related functions share.
pub fn log_group(template: &Value, stack: &str, function: &str) -> String {
    let all = functions(template);
    let (_, properties) = all.iter().find(|(_, it)| name_of(it) == function).expect("the template has the function");
    let group = properties["LoggingConfig"]["LogGroup"]["!Ref"].as_str().expect("a function has a log group");
    let name = template["Resources"][group]["Properties"]["LogGroupName"]["!Sub"].as_str();
    name.expect("a log group has a name").replace("${AWS::StackName}", stack)
}

/// Returns the routes as function, method and path. The default route has empty method and path.
pub fn routes(template: &Value) -> Vec<(String, String, String)> {
    let mut routes = Vec::new();
    for (_, properties) in functions(template) {
        for event in properties["Events"].as_object().into_iter().flatten().map(|(_, event)| event) {
            let text = |name: &str| event["Properties"][name].as_str().map(str::to_owned);
            if let (Some(method), Some(path)) = (text("Method"), text("Path")) {
                routes.push((name_of(&properties).to_owned(), method, path));
            }
        }
    }
    routes
}

fn json_of(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(scalar) => match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => Value::Bool(*value),
            Scalar::Integer(value) => (*value).into(),
            Scalar::FloatingPoint(value) => value.into_inner().into(),
            Scalar::String(value) => Value::String(value.to_string()),
        },
        Yaml::Sequence(items) => items.iter().map(json_of).collect(),
        Yaml::Mapping(pairs) => {
            let pairs = pairs.iter().map(|(name, value)| {
                let name = json_of(name).as_str().expect("keys in the template are text").to_owned();
                (name, json_of(value))
            });
            Value::Object(pairs.collect())
        }
        Yaml::Tagged(tag, value) => {
            let name = format!("!{}", tag.suffix);
            Value::Object(Map::from_iter([(name, json_of(value))]))
        }
        other => panic!("unexpected YAML in the template: {other:?}"),
    }
}
