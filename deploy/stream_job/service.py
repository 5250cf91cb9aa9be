"""Options that a program may set on Managed Service for Apache Flink, and memory of a KPU; used by the rehearsal.

Source: "Programmatic Flink configuration properties" and "Apache Flink settings" in the service's developer guide,
November 2026. According to the guide, runtime 2.2 raises an exception for any other key. The guide is silent about
FLINK-1_20, so the job sets no other key.
"""

from __future__ import annotations

#: Configuration keys that a program may set.
PROGRAM_KEYS = (
    "execution.runtime-mode",
    "pipeline.auto-generate-uids",
    "pipeline.auto-watermark-interval",
    "pipeline.cached-files",
    "pipeline.classpaths",
    "pipeline.closure-cleaner-level",
    "pipeline.force-avro",
    "pipeline.force-kryo",
    "pipeline.generic-types",
    "pipeline.global-job-parameters",
    "pipeline.jars",
    "pipeline.jobvertex-parallelism-overrides",
    "pipeline.max-parallelism",
    "pipeline.name",
    "pipeline.object-reuse",
    "pipeline.operator-chaining.chain-operators-with-different-max-parallelism",
    "pipeline.operator-chaining.enabled",
    "pipeline.serialization-config",
    "pipeline.vertex-description-mode",
    "pipeline.vertex-name-include-index-prefix",
    "pipeline.watermark-alignment.allow-unaligned-source-splits",
    "execution.checkpointing.interval-during-backlog",
    "execution.checkpointing.unaligned",
    "python.execution-mode",
    "python.operator-chaining.enabled",
    "python.job-options",
    "python.internal.archives-key-map",
    "python.internal.files-key-map",
    "python.internal.requirements-file-key",
    # The guide lists the options of the Table API one by one; the job sets these.
    "table.local-time-zone",
    "table.exec.source.idle-timeout",
    "table.exec.state.ttl",
    # Set by Flink's own planner.
    "table.exec.mini-batch.enabled",
    "__table.query-start.current-database__",
    "__table.query-start.epoch-time__",
    "__table.query-start.local-time__",
)

#: Memory of one KPU: 3 GB of heap and 1 GB of native memory; how the latter is divided is not documented.
KPU_MEMORY = {
    "taskmanager.memory.process.size": "4096m",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.task.heap.size": "2944m",
    "taskmanager.memory.framework.off-heap.size": "64m",
    "taskmanager.memory.managed.size": "448m",
    "taskmanager.memory.network.min": "128m",
    "taskmanager.memory.network.max": "128m",
    "taskmanager.memory.jvm-metaspace.size": "192m",
    "taskmanager.memory.jvm-overhead.min": "192m",
    "taskmanager.memory.jvm-overhead.max": "192m",
}
