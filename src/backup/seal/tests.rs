use super::*;

/// A pair of `age-keygen`, and another one.
const KEY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const PUBLIC: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

fn pair(bytes: u8) -> (Identity, Recipient) {
    let key =
        bech32::encode_upper::<bech32::Bech32>(bech32::Hrp::parse("age-secret-key-").expect("a prefix"), &[bytes; 32]);
    let identity: Identity = key.expect("a key").parse().expect("a private key");
    let recipient = identity.recipients().next().expect("its public key");
    (identity, recipient)
}

fn sealed(plain: &[u8], recipients: &[Recipient]) -> Vec<u8> {
    let mut to = Vec::new();
    let written = seal(&mut &plain[..], &mut to, recipients).expect("encrypted");
    assert_eq!(written, to.len() as u64);
    to
}

fn opened(text: &[u8], identity: &Identity) -> Result<Vec<u8>, SealError> {
    let mut to = Vec::new();
    open(&mut &text[..], &mut to, identity).map(|_| to)
}

#[test]
fn a_known_pair_of_keys() {
    let identity: Identity =
        format!("# created: 2026-11-21T03:15:00Z\n# public key: {PUBLIC}\n{KEY}\n").parse().unwrap();
    assert_eq!(identity.recipients().map(|key| key.to_string()).collect::<Vec<_>>(), [PUBLIC]);
    assert_eq!(PUBLIC.parse::<Recipient>().unwrap().to_string(), PUBLIC);
    assert!(!format!("{identity:?}").contains("GFPYY"), "a private key is shown");
}

#[test]
fn every_length_comes_back() {
    let (identity, recipient) = pair(7);
    let (_, other) = pair(8);
    for length in [0, 1, 65_535, 65_536, 65_537, 131_071, 131_072, 200_000] {
        let plain: Vec<u8> = (0..length).map(|at: usize| (at * 31 % 251) as u8).collect();
        let text = sealed(&plain, &[other.clone(), recipient.clone()]);
        assert!(length < 100 || !text.windows(64).any(|window| window == &plain[..64]), "it is not encrypted");
        assert!(opened(&text, &identity).expect("opened") == plain, "{length} bytes");
    }
}

#[test]
fn another_key_opens_nothing() {
    let (_, recipient) = pair(7);
    let (stranger, _) = pair(9);
    let error = opened(&sealed(b"x", &[recipient]), &stranger).expect_err("a stranger's key");
    assert!(matches!(error, SealError::WrongKey { keys: 1, recipients: 1 }), "{error}");
    assert!(matches!(seal(&mut &b"x"[..], &mut Vec::new(), &[]), Err(SealError::Nobody)));
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let (identity, recipient) = pair(7);
    let text = sealed(&[5; 70_000], &[recipient]);
    let header = text.windows(4).position(|window| window == b"\n---").expect("the header's end") + 50;
    for at in (0..header + 40).chain([65_000, 66_000, text.len() - 17, text.len() - 1]) {
        for bit in [0, 3, 7] {
            let mut text = text.clone();
            text[at] ^= 1 << bit;
            assert!(opened(&text, &identity).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_missing_end_is_found_wherever_it_begins() {
    let (identity, recipient) = pair(7);
    let text = sealed(&vec![5; 2 * 65_536], &[recipient]);
    let chunk = 65_536 + 16;
    let ends = [0, 10, 100, text.len() - 2 * chunk - 16, text.len() - 2 * chunk, text.len() - chunk, text.len() - 1];
    for end in ends {
        assert!(opened(&text[..end], &identity).is_err(), "{end} of {} bytes", text.len());
    }
    let mut more = text.clone();
    more.push(0);
    assert!(opened(&more, &identity).is_err(), "something behind the end");
}

#[test]
fn what_is_no_key_is_said_without_showing_it() {
    for text in [
        "",
        "age1",
        "age1zzz",
        &PUBLIC[..61],
        &PUBLIC.replace("zvk", "zvq"),
        &PUBLIC.to_uppercase(),
        KEY,
        "ssh-ed25519 AA",
    ] {
        assert!(text.parse::<Recipient>().is_err(), "{text}");
    }
    for (text, said) in [
        ("# nothing\n\n", "no line"),
        (
            &*KEY.replace("QYSJ", "QYSQ").replace("4EGAEX", "4EGAEQ"),
            "line 1 of the identity file: it is no private key",
        ),
        ("# x\n-----BEGIN AGE ENCRYPTED FILE-----", "line 2 of the identity file: the identity file is encrypted"),
        (PUBLIC, "does not begin with AGE-SECRET-KEY-1"),
    ] {
        let error = text.parse::<Identity>().expect_err(text).to_string();
        assert!(error.contains(said) && !error.contains("GFPYY"), "{error}");
    }
}

#[test]
fn what_is_not_encrypted_is_said() {
    let (identity, recipient) = pair(7);
    for (text, said) in [
        (&b"redb\x1a\x0a\xa9\x0d\x0a"[..], "does not begin like a file of age"),
        (b"", "does not begin like a file of age"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n", "armor"),
        (b"age-encryption.org/v2\n", "another version"),
        (b"age-encryption.org/v1\n-> X25519\n", "malformed"),
        (b"age-encryption.org/v1\nhello\n", "malformed"),
    ] {
        let error = opened(text, &identity).expect_err("it is not encrypted").to_string();
        assert!(error.contains(said), "{error}");
    }
    // Recipients of kinds that we do not know stand beside ours.
    let text = sealed(b"x", &[recipient]);
    let endless = [&text[..22], &b"-> grease\n".repeat(9_000)[..]].concat();
    assert!(matches!(opened(&endless, &identity), Err(SealError::Foreign(_))));
}

/// The same file with another recipient's part in front of ours, as a program that knows more kinds writes it.
fn with_another(text: &[u8], key: &FileKey, part: &str) -> Vec<u8> {
    let FileKey(key) = key;
    let end = text.windows(4).position(|window| window == b"\n---").expect("the header's end");
    let first = text.iter().position(|byte| *byte == b'\n').expect("the first line");
    let mut header = [&text[..first], part.as_bytes(), &text[first..end], b"\n---"].concat();
    let code = ring::hmac::sign(&header::code_key(key).expect("a key"), &header);
    let code = base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, code);
    header.extend_from_slice(format!(" {code}\n").as_bytes());
    let content = end + text[end + 1..].iter().position(|byte| *byte == b'\n').expect("the code's end") + 2;
    header.extend_from_slice(&text[content..]);
    header
}

#[test]
fn recipients_of_other_kinds_stand_beside_ours_and_a_share_of_low_order_is_refused() {
    let (identity, recipient) = pair(7);
    let mut text = Vec::new();
    let key = seal_and_keep(&mut &b"plain"[..], &mut text, &[recipient]).expect("sealed");
    let body = "A".repeat(64);
    for part in
        ["\n-> grease\n".to_owned(), format!("\n-> ssh-rsa Xy+/ 1\n{body}\n{body}\nAAAA"), "\n-> a b c\nAA".into()]
    {
        let beside = with_another(&text, &key, &part);
        assert_eq!(opened(&beside, &identity).expect("opened"), b"plain", "{part}");
        open_with(&mut &beside[..], &mut Vec::new(), &key).expect("opened with the file's key");
        assert!(matches!(opened(&beside, &pair(9).0), Err(SealError::WrongKey { keys: 1, recipients: 2 })));
    }
    // The share's 32 zeros, and any encrypted key.
    let low = format!("\n-> X25519 {}\n{}", "A".repeat(43), "A".repeat(43));
    let found = opened(&with_another(&text, &key, &low), &identity);
    assert!(matches!(found, Err(SealError::Damaged(why)) if why.contains("low order")), "{found:?}");
}
