use super::*;

fn load(file: &str, variables: &[(&str, &str)], flags: &[(&str, &str, String)]) -> Result<Sourced, ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_sources(Some((Path::new("thexanh.toml"), file)), variables, flags)
}

#[test]
fn nothing_set_gives_the_defaults() {
    let sourced = Config::from_sources(None, [], &[]).expect("defaults");
    assert_eq!(sourced.config, Config::default());
    assert_eq!(sourced.config.keys_dir(), Path::new("data/keys"));
}

#[test]
fn later_sources_win_and_each_value_tells_its_origin() {
    let file = "data = \"/srv\"\n[http]\nlisten = \"0.0.0.0:1\"\nworkers = 3\n";
    let variables =
        [("THEXANH_HTTP_LISTEN", "0.0.0.0:2"), ("THEXANH_LOG_ACCESS", "true"), ("THEXANH_HTTP_WORKERS", "4")];
    let sourced = load(file, &variables, &[("--listen", "http.listen", "0.0.0.0:3".to_owned())]).expect("loads");
    assert_eq!(sourced.config.http.listen.port(), 3);
    assert_eq!((sourced.config.http.workers, sourced.config.log.access), (4, true));
    assert_eq!(sourced.config.data, Path::new("/srv"));
    let manual = sourced.explain();
    for line in [
        "listen = \"0.0.0.0:3\"  # --listen; THEXANH_HTTP_LISTEN",
        "workers = 4  # THEXANH_HTTP_WORKERS;",
        "data = \"/srv\"  # thexanh.toml; THEXANH_DATA",
        "keep_alive_s = 75  # default;",
        "# cert =  # default; THEXANH_TLS_CERT",
    ] {
        assert!(manual.contains(line), "{line}\n{manual}");
    }
}

#[test]
fn what_explain_prints_can_be_loaded_again() {
    let printed = Config::from_sources(None, [], &[]).expect("defaults").explain();
    assert_eq!(load(&printed, &[], &[]).expect("loads").config, Config::default());
}

#[test]
fn a_database_url_is_taken_from_either_variable_and_never_shown() {
    let url = "postgres://user:hush@db/x";
    let sourced = load("", &[("DATABASE_URL", url)], &[]).expect("loads");
    assert_eq!(sourced.config.database.url.as_ref().map(Secret::reveal), Some(url));
    assert!(!sourced.explain().contains("hush") && !format!("{sourced:?}").contains("hush"));
    let both = [("THEXANH_DATABASE_URL", "postgres://ours"), ("DATABASE_URL", url)];
    assert_eq!(load("", &both, &[]).expect("loads").config.database.url, Some(Secret::new("postgres://ours")));
}

#[test]
fn errors_are_one_line_that_says_where_and_what_to_do() {
    // (the file, the variables, the code, a part of the sentence)
    type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);
    let cases: [Case; 8] = [
        (
            "nonsense = 1",
            &[],
            "config_malformed",
            "thexanh.toml: line 1: unknown field `nonsense`; `thexanh config --explain`",
        ),
        ("[http]\nport = 1", &[], "config_malformed", "thexanh.toml: line 2: unknown field `port`"),
        ("[http", &[], "config_malformed", "thexanh.toml: line 1: "),
        ("", &[("THEXANH_PORT", "1")], "config_unknown_variable", "the variable THEXANH_PORT sets nothing we know"),
        (
            "",
            &[("THEXANH_HTTP_WORKERS", "many")],
            "config_malformed",
            "THEXANH_HTTP_WORKERS: not a value for http.workers",
        ),
        ("[tls]\ncert = \"a.pem\"", &[], "config_inconsistent", "set both tls.cert and tls.key, or neither"),
        (
            "[http]\ntrusted_proxies = [\"10.1.0.0/8\"]",
            &[],
            "config_malformed",
            "thexanh.toml: line 2: expected an address, or a network such as 10.0.0.0/8",
        ),
        ("[database]\nconnections = 0", &[], "config_inconsistent", "must be at least 1"),
    ];
    for (file, variables, code, message) in cases {
        let error = load(file, variables, &[]).expect_err(message);
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
    let error = load("", &[], &[("--x", "http.port", "1".to_owned())]).expect_err("unknown");
    assert!(error.to_string().contains("--x: there is no setting http.port"), "{error}");
}

#[test]
fn trusted_proxies_are_networks_and_no_more_than_64() {
    let proxies = |count: usize| format!("{:?}", vec!["10.0.0.0/8"; count]);
    let from = |count| load("", &[("THEXANH_HTTP_TRUSTED_PROXIES", &proxies(count))], &[]);
    for count in [0, 1, 63, 64] {
        let sourced = from(count).expect("loads");
        assert_eq!(sourced.config.http.trusted_proxies.len(), count);
        assert_eq!(load(&sourced.explain(), &[], &[]).expect("loads").config, sourced.config);
    }
    assert_eq!(from(65).expect_err("too many").code(), "config_inconsistent");
}

#[test]
fn the_gateway_is_reached_over_http_with_or_without_tls_and_by_nothing_else() {
    for (url, good) in [
        ("https://sms.example/send", true),
        ("http://127.0.0.1:9/", true),
        ("https://sms.example?to", true),
        ("https://", false),
        ("https:///send", false),
        ("ftp://sms.example", false),
        ("sms.example", false),
        ("", false),
    ] {
        let loaded = load("", &[("THEXANH_SMS_URL", url)], &[]);
        assert_eq!(loaded.as_ref().map_err(ConfigError::code).is_ok(), good, "{url}");
    }
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let error = Config::load(Some(Path::new("/nonexistent/thexanh.toml")), &[]).expect_err("no file");
    assert_eq!(error.code(), "config_unreadable");
    assert!(error.to_string().contains("--config"));
}

#[test]
fn a_provider_is_reached_by_https_and_needs_to_know_us_and_where_to_send_people_back_to() {
    let of = |issuer: &str, rest: &str| {
        let file = format!("[http]\npublic_url = \"https://x.example\"\n[openid]\nissuer = \"{issuer}\"\n{rest}");
        load(&file, &[], &[]).map(|sourced| sourced.config.openid)
    };
    for (issuer, good) in [
        ("https://id.example", true),
        ("https://id.example/realms/moh", true),
        ("http://127.0.0.1:9", true),
        ("http://localhost", true),
        ("http://[::1]:9/x", true),
        ("http://id.example", false),
        ("http://127.0.0.1.id.example", false),
        ("https://", false),
        ("https://id.example?x", false),
        ("https://id.example#x", false),
        ("ftp://id.example", false),
        ("id.example", false),
        ("", false),
    ] {
        assert_eq!(of(issuer, "client_id = \"x\"").is_ok(), good, "{issuer}");
    }
    assert!(of("https://id.example", "").is_err(), "no client_id");
    // An ID token is for the client, a bearer token for the audience: they must not be the same.
    for (client_id, audience, good) in [
        ("thexanh", "thexanh", false),
        ("thexanh-web", "thexanh", true),
        ("thexanh", "api", true),
        ("api", "api", false),
    ] {
        let loaded =
            of("https://id.example", &format!("client_id = \"{client_id}\"\n[tokens]\naudience = \"{audience}\""));
        match loaded {
            Ok(_) => assert!(good, "{client_id} {audience}"),
            Err(error) => {
                assert!(!good && error.code() == "config_inconsistent", "{client_id} {audience}: {error}");
                assert!(error.to_string().starts_with("openid.client_id and tokens.audience must differ"), "{error}");
            }
        }
    }
    assert!(load("[openid]\nissuer = \"https://id.example\"\nclient_id = \"x\"", &[], &[]).is_err(), "no public_url");
    assert!(of("https://id.example", "client_id = \"x\"\nrole_claim = \"\"").is_err());
    assert!(of("https://id.example", "client_id = \"x\"\nsubject_claim = \"\"").is_err());
    for (role, good) in [("facility", true), ("verifier", true), ("citizen", false), ("nurse", false)] {
        assert_eq!(
            of("https://id.example", &format!("client_id = \"x\"\nroles = {{ a = \"{role}\" }}")).is_ok(),
            good,
            "{role}"
        );
    }
    let variables = [("THEXANH_OPENID_ROLES", "{ \"moh/nurse\" = \"facility\" }")];
    let sourced = load("", &variables, &[]).expect("loads");
    assert_eq!(sourced.config.openid.roles["moh/nurse"], "facility");
    assert_eq!(load(&sourced.explain(), &[], &[]).expect("loads").config, sourced.config);
}
