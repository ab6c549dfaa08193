//! Reading template.yaml.

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value};

use crate::payload::root;

/// Reads the template as JSON; a tag such as `!Ref x` becomes `{"!Ref": "x"}`.
pub fn template() -> Value {
    let text = text();
    let documents = Yaml::load_from_str(&text).expect("template.yaml is YAML");
    json_of(&documents[0])
}

/// Reads the template as it stands.
pub fn text() -> String {
    std::fs::read_to_string(root().join("template.yaml")).expect("template.yaml can be read")
}

/// Gives the functions: logical id and properties, in the template's order.
pub fn functions(template: &Value) -> Vec<(String, Value)> {
    let resources = template["Resources"].as_object().expect("a template has resources");
    let functions = resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function");
    functions.map(|(name, resource)| (name.clone(), resource["Properties"].clone())).collect()
}

/// Gives the one name of a function, as the folder of its code has it.
pub fn name_of(properties: &Value) -> &str {
    let path = properties["CodeUri"].as_str().expect("a function names its code");
    path.rsplit('/').next().unwrap_or_default()
}

/// Returns the log group of a function, which it shares with the others of its desk.
pub fn log_group(template: &Value, stack: &str, function: &str) -> String {
    let all = functions(template);
    let (_, properties) = all.iter().find(|(_, it)| name_of(it) == function).expect("there is such a function");
    let group = properties["LoggingConfig"]["LogGroup"]["!Ref"].as_str().expect("a function names its log group");
    let name = template["Resources"][group]["Properties"]["LogGroupName"]["!Sub"].as_str();
    name.expect("a log group has a name").replace("${AWS::StackName}", stack)
}

/// Gives the routes: function, method and path; the default route has neither.
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
                let name = json_of(name).as_str().expect("the template's names are text").to_owned();
                (name, json_of(value))
            });
            Value::Object(pairs.collect())
        }
        Yaml::Tagged(tag, value) => {
            let name = format!("!{}", tag.suffix);
            Value::Object(Map::from_iter([(name, json_of(value))]))
        }
        other => panic!("the template holds something unexpected: {other:?}"),
    }
}
