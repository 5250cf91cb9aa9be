package metering.flink;

import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.table.data.RowData;

/** The keys whose state a subtask has. */
final class OwnKeys {

  private OwnKeys() {}

  /** Whether a key belongs to a subtask: of the rows of a snapshot, each subtask stores its own. */
  static boolean has(RowData key, TaskInfo subtask) {
    return KeyGroupRangeAssignment.assignKeyToParallelOperator(
            key, subtask.getMaxNumberOfParallelSubtasks(), subtask.getNumberOfParallelSubtasks())
        == subtask.getIndexOfThisSubtask();
  }
}
