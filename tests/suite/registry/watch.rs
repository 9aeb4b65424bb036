//! A folder of components.

use std::{fs, time::Duration};

use host_harness::registry::{DirectoryWatch, Registry, RegistryError, audit::AuditEvent};

use super::{config, engine, last, open, serving, until, version};
use crate::support::run;

#[test]
fn a_component_that_has_come_to_rest_is_loaded_once() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let components = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        let mut watch = DirectoryWatch::new(&registry, components.path());
        let file = components.path().join("connector.wasm");
        fs::write(components.path().join("README"), "not a component").expect("written");
        let whole = version("0.1.0");

        // While it is written it looks different each time.
        for part in 1..4 {
            fs::write(&file, &whole[..whole.len() * part / 4]).expect("written");
            assert!(watch.look().await.expect("a folder").is_empty());
        }
        fs::write(&file, &whole).expect("written");
        assert!(watch.look().await.expect("a folder").is_empty());
        assert_eq!(serving(&registry), None);
        let tried = watch.look().await.expect("a folder");
        assert_eq!(tried.len(), 1);
        tried[0].1.as_ref().expect("it is sound");
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        assert!(watch.look().await.expect("a folder").is_empty());

        // A new one by renaming, as editors and cargo do.
        let beside = components.path().join("new.tmp");
        fs::write(&beside, version("0.1.1")).expect("written");
        fs::rename(&beside, &file).expect("renamed");
        watch.look().await.expect("a folder");
        assert_eq!(watch.look().await.expect("a folder").len(), 1);
        assert_eq!(serving(&registry).as_deref(), Some("0.1.1"));

        // A broken one is tried once, and changes nothing.
        fs::write(&file, "broken").expect("written");
        watch.look().await.expect("a folder");
        let tried = watch.look().await.expect("a folder");
        tried[0].1.as_ref().expect_err("it is broken");
        assert!(watch.look().await.expect("a folder").is_empty());
        assert_eq!(serving(&registry).as_deref(), Some("0.1.1"));
    });
}

#[test]
fn what_was_rolled_back_stays_so_when_the_folder_is_looked_at_anew() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let components = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        for name in ["0.1.0", "0.1.1"] {
            let file = components.path().join(format!("{name}.wasm"));
            fs::write(file, version(name)).expect("written");
        }
        let mut watch = DirectoryWatch::new(&registry, components.path());
        watch.look().await.expect("a folder");
        assert_eq!(watch.look().await.expect("a folder").len(), 2);
        assert_eq!(serving(&registry).as_deref(), Some("0.1.1"));
        registry
            .rollback("pagerduty", None, "ada", "too slow")
            .await
            .expect("it is kept");
        registry.close().await.expect("it is closed");
        drop(watch);

        let registry = open(config(folder.path())).await;
        let mut watch = DirectoryWatch::new(&registry, components.path());
        watch.look().await.expect("a folder");
        assert!(watch.look().await.expect("a folder").is_empty());
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
    });
}

#[test]
fn a_folder_is_watched_until_somebody_lets_go() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let components = tempfile::tempdir().expect("a folder");
        let missing = components.path().join("later");
        let registry = open(config(folder.path())).await;
        let often = Duration::from_millis(1);
        let watching = registry.watch(&missing, often);
        // That there is no such folder yet ends nothing.
        fs::create_dir(&missing).expect("created");
        for version in ["0.1.0", "0.1.1"] {
            fs::write(missing.join("connector.wasm"), self::version(version)).expect("written");
            until(&registry, |registry| {
                serving(registry).as_deref() == Some(version)
            })
            .await;
        }
        assert_eq!(last(&registry, AuditEvent::Swap).by, "watch");
        // Then nothing holds the registry any more, and the folder is free.
        drop((watching, registry));
        let mut again = Registry::open(engine(), config(folder.path())).await;
        while let Err(RegistryError::Busy(_)) = again {
            tokio::task::yield_now().await;
            again = Registry::open(engine(), config(folder.path())).await;
        }
        assert_eq!(serving(&again.expect("it opens")).as_deref(), Some("0.1.1"));
    });
}
