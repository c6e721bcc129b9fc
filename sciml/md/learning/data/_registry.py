"""SHA-256 of the files that `md.datasets` downloads."""

WATER_TYPES = {
    f"data_{k}/{name}": digest
    for k in range(4)
    for name, digest in (
        ("type.raw", "c0287bfae960bdddafa96841b59c29ac9b7548ddac0b5bebd30fb502563d0507"),
        ("type_map.raw", "2af2202bdb95741681b308b05c1dae7837141fe32b10d14db2a4c0ea9103e55b"),
    )
}
WATER_SETS = {
    "data_0/set.000/coord.npy": "58554d0ef240b54a242a8163e112d673872f5be5198c86c4eb8d5f39602ff645",
    "data_0/set.000/energy.npy": "920c4628018c12a4d38c22aef7f41ca483a02747319a42dd4e4f703e2a9f70c8",
    "data_0/set.000/force.npy": "fae9be94125902c089720416a4cea521380a415709ead1f9134b7f64f46f1e58",
    "data_1/set.000/coord.npy": "b9cf07c179a0f975a3b8607f439602e9a78b9bec3b02aa8afe812d716563f380",
    "data_1/set.000/energy.npy": "d3b407e3b67f953fe496a62e1f7dc84d07a8bfcfb748bfaafbca435809012b93",
    "data_1/set.000/force.npy": "7a3099c380a57379574e5b854f43589e736b785d6f747c68d093a45b3f85b542",
    "data_1/set.001/coord.npy": "f4581f0f4aedb910b8580157a9dca622c5cd3b71428f5924bdeed0192ab50dd2",
    "data_1/set.001/energy.npy": "d4634357a81940e5aca110cd5285b3b72503f4ae13bbfffbe5791c145748a4bf",
    "data_1/set.001/force.npy": "19313e524e1900eaf721ec7be9f2a48b854301aefc884f6ca4815824aa4b6a77",
    "data_2/set.000/coord.npy": "c9fd13c05992f98efe1d78ae0b70f0565820aceeaf0d25f17b02a0f29a0b84c8",
    "data_2/set.000/energy.npy": "a38b8cd8e897ded6ac3a6d88559358c634575bede2ae930bc2557b1047059b49",
    "data_2/set.000/force.npy": "fda708ae95c73edca449709c2adfdf494acc6379323d92f865b1698c3830634f",
    "data_3/set.000/coord.npy": "f9169bb378e0a4641c65171ccedd47d7b3ac115bc8e1ac8c72be1ce81959e793",
    "data_3/set.000/energy.npy": "8e7289bd03566f737f998e26fcdc3e838482e7bb80356939567b3a920d23f1c8",
    "data_3/set.000/force.npy": "7abe876297cd5c989289760435c2258c3ad7be94bb6ed40640efbefb55b76a68",
}
BOX = "88376dc931e272a3569cabcab0f1ee4320168c73ee183ae60f7086b473fc719d"
WATER = WATER_TYPES | WATER_SETS | {file.replace("coord", "box"): BOX for file in WATER_SETS if file.endswith("coord.npy")}

# Of mlearn's JSON files as `mlearn_to_xyz` writes them.
SILICON = {
    "train.xyz": "12b29c7a36e525bdc5528b6c7ce0deb2b38b713f690b574c61ddb07f0205c124",
    "test.xyz": "2377af21cd1665e2b77779a06e1c58c116bbbf354aba34035aaadbfe04615c65",
}
