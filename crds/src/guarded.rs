//! Reading what others wrote, so that one object can't make a whole list unreadable.
//!
//! An API server takes JSON that is nested 10,000 levels deep; `serde_json` gives up at 128, and with it the list or
//! the watch in which such an object stands.

use std::{borrow::Cow, fmt};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube_core::Resource;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// Most levels of a manifest. A Deployment with everything that Kubernetes knows has some 16.
pub const MANIFEST_DEPTH_MAX: usize = 32;

/// Most levels of an object that are read: manifests stand at the third.
const OBJECT_DEPTH_MAX: usize = 2 * MANIFEST_DEPTH_MAX;

/// An object that may be unreadable, which its neighbours in a list needn't suffer from.
///
/// **Guarantees**: as long as a list or an event is JSON, each object in it is read or [`Unreadable`], and no other is
/// lost. What is nested too deep is left out, without recursion.
#[derive(Clone, Debug)]
pub struct Guarded<K>(
    /// The object, or what is known of it nevertheless.
    pub Result<K, Unreadable>,
);

/// An object that isn't of the form that it should have.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unreadable {
    /// What is wrong with it.
    pub error: String,
    /// Its metadata, as far as that could be read.
    pub metadata: Box<ObjectMeta>,
    /// All of it, but for what is nested too deep.
    pub object: Value,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Bounded::read(deserializer, OBJECT_DEPTH_MAX)?.0;
        Ok(Self(K::deserialize(&object).map_err(|error| Unreadable {
            error: error.to_string(),
            metadata: Box::new(metadata(&object)),
            object,
        })))
    }
}

/// All metadata, or at least what tells objects and their versions apart.
fn metadata(object: &Value) -> ObjectMeta {
    let found = object.get("metadata").unwrap_or(&Value::Null);
    let text = |field: &str| found.get(field).and_then(Value::as_str).map(str::to_owned);
    ObjectMeta::deserialize(found).unwrap_or_else(|_| ObjectMeta {
        name: text("name"),
        namespace: text("namespace"),
        uid: text("uid"),
        resource_version: text("resourceVersion"),
        ..ObjectMeta::default()
    })
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &K::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &K::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &K::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &K::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unreadable| &*unreadable.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|unreadable| &mut *unreadable.metadata, K::meta_mut)
    }
}

/// Reads `spec.manifests`. One that is nested too deep becomes a text, its kind and name, which no manifest is.
pub(crate) fn manifests<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    struct Manifest(Value);

    impl<'de> Deserialize<'de> for Manifest {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let Bounded(value, complete) = Bounded::read(deserializer, MANIFEST_DEPTH_MAX)?;
            if complete {
                return Ok(Self(value));
            }
            let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default();
            Ok(Self(Value::String(format!("{}/{}", text("/kind"), text("/metadata/name")))))
        }
    }

    let read: Vec<Manifest> = Vec::deserialize(deserializer)?;
    Ok(read.into_iter().map(|manifest| manifest.0).collect())
}

/// A value, and whether that is all: what is nested too deep is null.
struct Bounded(Value, bool);

impl Bounded {
    fn read<'de, D: Deserializer<'de>>(deserializer: D, depth: usize) -> Result<Self, D::Error> {
        Levels(depth).deserialize(deserializer)
    }
}

/// How many more levels are read.
#[derive(Clone, Copy)]
struct Levels(usize);

impl<'de> DeserializeSeed<'de> for Levels {
    type Value = Bounded;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bounded, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Levels {
    type Value = Bounded;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Bounded, E> {
        Ok(Bounded(Value::Bool(value), true))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Bounded, E> {
        Ok(Bounded(value.into(), true))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Bounded, E> {
        Ok(Bounded(value.into(), true))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Bounded, E> {
        Ok(Bounded(Number::from_f64(value).map_or(Value::Null, Value::Number), true))
    }

    fn visit_str<E>(self, value: &str) -> Result<Bounded, E> {
        Ok(Bounded(value.into(), true))
    }

    fn visit_string<E>(self, value: String) -> Result<Bounded, E> {
        Ok(Bounded(value.into(), true))
    }

    fn visit_unit<E>(self) -> Result<Bounded, E> {
        Ok(Bounded(Value::Null, true))
    }

    fn visit_none<E>(self) -> Result<Bounded, E> {
        Ok(Bounded(Value::Null, true))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bounded, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bounded, A::Error> {
        let Some(below) = self.0.checked_sub(1).map(Levels) else {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Bounded(Value::Null, false));
        };
        let (mut list, mut complete) = (Vec::new(), true);
        while let Some(Bounded(item, whole)) = items.next_element_seed(below)? {
            complete &= whole;
            list.push(item);
        }
        Ok(Bounded(Value::Array(list), complete))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Bounded, A::Error> {
        let Some(below) = self.0.checked_sub(1).map(Levels) else {
            while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Bounded(Value::Null, false));
        };
        let (mut object, mut complete) = (Map::new(), true);
        while let Some(key) = fields.next_key::<String>()? {
            let Bounded(field, whole) = fields.next_value_seed(below)?;
            complete &= whole;
            object.insert(key, field);
        }
        Ok(Bounded(Value::Object(object), complete))
    }
}

#[cfg(test)]
mod tests {
    use kube_core::{ResourceExt, WatchEvent, object::ObjectList};
    use serde_json::json;

    use super::*;
    use crate::TenantWorkload;

    /// So many objects within each other.
    fn nested(levels: usize) -> String {
        format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
    }

    fn workload(name: &str, manifest: &str) -> String {
        format!(
            r#"{{"apiVersion":"domicile.dev/v1alpha1","kind":"TenantWorkload","metadata":{{"name":"{name}",
            "namespace":"acme","resourceVersion":"7","managedFields":[{{"fieldsV1":{}}}]}},"spec":{{"manifests":[{manifest}]}}}}"#,
            nested(300)
        )
    }

    fn config_map(more: &str) -> String {
        format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"c"}},"x":{more}}}"#)
    }

    #[test]
    fn one_object_does_not_spoil_a_list() {
        let items = [
            workload("before", &config_map("1")),
            workload("deep", &config_map(&nested(9_000))),
            r#"{"metadata":{"name":"wrong","namespace":"acme","resourceVersion":"8"},"spec":{"manifests":3}}"#
                .to_owned(),
            r#"{"metadata":{"name":"odd","labels":7,"resourceVersion":"9"},"spec":{}}"#.to_owned(),
            workload("after", &config_map("1")),
        ];
        let text = format!(r#"{{"metadata":{{"resourceVersion":"9"}},"items":[{}]}}"#, items.join(","));
        let list: ObjectList<Guarded<TenantWorkload>> = serde_json::from_str(&text).unwrap();
        let names: Vec<String> = list.items.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, ["before", "deep", "wrong", "odd", "after"]);
        let whole = config_map("1").parse::<Value>().unwrap();
        for at in [0, 4] {
            assert_eq!(list.items[at].0.as_ref().unwrap().spec.manifests, std::slice::from_ref(&whole));
        }
        assert_eq!(list.items[1].0.as_ref().unwrap().spec.manifests, [json!("ConfigMap/c")]);
        for at in [2, 3] {
            assert!(list.items[at].0.is_err());
            assert!(list.items[at].resource_version().is_some(), "the watch goes on from there");
        }
    }

    #[test]
    fn one_object_does_not_break_a_watch() {
        let line = |object: &str| format!(r#"{{"type":"ADDED","object":{object}}}"#);
        let deep = line(&workload("deep", &config_map(&nested(200))));
        for text in [deep, line(r#"{"metadata":{"name":"wrong"},"spec":7}"#)] {
            let event: WatchEvent<Guarded<TenantWorkload>> = serde_json::from_str(&text).unwrap();
            assert!(matches!(event, WatchEvent::Added(_)));
        }
    }

    /// Whoever reads a workload by itself, such as the answer to a write, is safe too.
    #[test]
    fn the_deepest_that_is_taken() {
        let read = |levels: usize| {
            let text =
                format!(r#"{{"metadata":{{}},"spec":{{"manifests":[{}]}}}}"#, config_map(&nested(levels)));
            serde_json::from_str::<TenantWorkload>(&text).unwrap().spec.manifests[0].is_object()
        };
        assert!(read(MANIFEST_DEPTH_MAX - 1));
        assert!(!read(MANIFEST_DEPTH_MAX));
        assert!(!read(9_990));
    }
}
